"""A child process that answers one call at a time, and may be killed at any moment.

Parent and child talk over a socket pair in frames: two lengths of four bytes each (little-endian), then a
JSON header, then raw bytes. The child's standard error is an unnamed file that outlives it: the child looks
there for what C libraries complained of during a call, and the parent for its last words.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

LENGTHS = struct.Struct("<II")
_ROOT = Path(__file__).resolve().parents[1]
_SOCKET_BUFFER = 1 << 20
_LAST_WORDS = 4000
_MEMORY_PAGE = os.sysconf("SC_PAGE_SIZE")

Header = dict[str, Any]


class ChildDied(Exception):
    """The child is gone: `status` as in subprocess (negative: a signal), `last_words` from its stderr."""

    def __init__(self, status: int | None, last_words: str) -> None:
        super().__init__(f"child ended with status {status}")
        self.status = status
        self.last_words = last_words


class Child:
    """The parent's handle. Its owner calls `close` in the end, whatever happened."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        stderr: int,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._stderr = stderr
        self._memory = Path(f"/proc/{process.pid}/statm")
        self.gone = asyncio.create_task(process.wait())  # done when it has ended, for whatever reason

    @classmethod
    async def spawn(cls, module: str, config: Header, env: dict[str, str]) -> tuple[Child, Header]:
        """Start `python -m module` and wait for its first frame, which tells what it is.

        Raises:
            ChildDied: it ended before it was ready.
        """
        ours, theirs = socket.socketpair()
        stderr = _unnamed_file()
        try:
            with theirs:
                for end in (ours, theirs):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    module,
                    str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=stderr,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # so that its children go with it, and no Ctrl-C reaches it
                    env={**os.environ, "PYTHONPATH": _python_path(), **env},
                )
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            os.close(stderr)
            raise  # a child that was started finds its socket closed, and ends
        child = cls(process, reader, writer, stderr)
        try:
            ready, _ = await child.call(config)
        except BaseException:
            await child.close()
            raise
        return child, ready

    @property
    def pid(self) -> int:
        return self._process.pid

    async def call(self, header: Header, payload: bytes = b"") -> tuple[Header, bytes]:
        """One question, one answer. A call that is given up leaves the child unusable: kill it.

        Raises:
            ChildDied: it ended before it answered.
        """
        try:
            encoded = orjson.dumps(header)
            self._writer.write(LENGTHS.pack(len(encoded), len(payload)) + encoded)
            if payload:
                self._writer.write(payload)
            await self._writer.drain()
            header_size, payload_size = LENGTHS.unpack(await self._reader.readexactly(LENGTHS.size))
            answer = orjson.loads(await self._reader.readexactly(header_size))
            return answer, await self._reader.readexactly(payload_size)
        except (OSError, asyncio.IncompleteReadError):
            status = await self._process.wait()
            raise ChildDied(status, self.last_words()) from None

    def resident_bytes(self) -> int:
        """Resident memory, measured from outside; 0 when the child is gone, or without a Linux /proc."""
        try:
            return int(self._memory.read_bytes().split()[1]) * _MEMORY_PAGE
        except OSError:
            return 0

    def last_words(self) -> str:
        size = os.fstat(self._stderr).st_size
        tail = os.pread(self._stderr, _LAST_WORDS, max(0, size - _LAST_WORDS))
        return tail.decode(errors="replace").strip()

    def kill(self) -> None:
        """SIGKILL, to the child and whatever it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        self.kill()
        self._writer.close()
        try:
            await self._process.wait()
        finally:
            if self._stderr >= 0:
                os.close(self._stderr)
                self._stderr = -1


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("stderr")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _python_path() -> str:
    return os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
