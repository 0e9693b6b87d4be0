"""Starts, calls, watches and kills a child process that answers one call at a time.

Parent and child talk over a socket pair in frames (`frames.py`). The child's standard error is an unnamed file of
fixed size: the child reads there what C libraries wrote during a call, and the parent reads there the last
messages of a child that ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import orjson

from service_kit.deadline import Deadline
from service_kit.errors import DeadlineExceeded
from service_kit.frames import LENGTHS, Header, Payload, pieces_of, size_of

STDERR_BYTES = 1 << 20
_ROOT = Path(__file__).resolve().parents[1]
_SOCKET_BUFFER = 1 << 20
_LAST_WORDS = 4000
_MEMORY_PAGE = os.sysconf("SC_PAGE_SIZE")
_LOOK_SECONDS = 0.1  # between checks of a working child's memory
_ONE_WRITE = 4096  # bytes; a write beyond the end of standard error fails as a whole

Cause = Literal["start", "crashed", "killed", "memory", "time", "answer", "stderr"]


class Reply(NamedTuple):
    header: Header
    payload: bytes


# Called with a question that the child asks before it answers; returns the reply or None, and raises nothing.
Asked = Callable[[Header, bytes], Awaitable[Header | None]]


class ChildLost(Exception):
    """The child ended, or this process killed it.

    Causes: `start`: it could not be started. `crashed`: it ended by itself. `killed`: SIGKILL from elsewhere,
    usually from the kernel for memory. `memory`, `time`, `answer`, `stderr`: it exceeded that limit.
    `status` is the exit status as in subprocess (negative: a signal).
    """

    def __init__(self, cause: Cause, status: int | None = None, last_words: str = "") -> None:
        super().__init__(f"child lost: {cause}, status {status}")
        self.cause = cause
        self.status = status
        self.last_words = last_words

    @property
    def for_memory(self) -> bool:
        return self.cause in ("memory", "killed")


class CommonMemory:
    """A memory limit for several children together; when they exceed it, the largest is killed."""

    def __init__(self, limit_bytes: float) -> None:
        self._limit = limit_bytes
        self.children: set[Child] = set()

    def check(self) -> None:
        sizes = {child: _memory(child.pid, private=True) for child in self.children}
        if sum(sizes.values()) > self._limit:
            max(sizes, key=lambda child: sizes[child]).end("memory")


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits of one call. A child that exceeds one of them is killed."""

    resident_bytes: int  # of the child and its descendants
    answer_bytes: int  # header and payload
    seconds: float = float("inf")
    start_seconds: float = 60.0
    common: CommonMemory = field(default_factory=lambda: CommonMemory(float("inf")))


class Child:
    """The parent's handle. Its owner must call `close` in every case."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        stderr: int,
        limits: CallLimits,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._stderr = stderr
        self._limits = limits
        self._verdict: Cause | None = None  # why we killed it
        self.ready: Header = {}
        self.gone = asyncio.create_task(process.wait())  # done when the process has ended
        limits.common.children.add(self)

    @classmethod
    async def start(cls, module: str, config: Header, limits: CallLimits, env: Mapping[str, str]) -> Child:
        """Start `python -m module` and wait for its first frame, which is kept as `ready`.

        Raises:
            ChildLost, DeadlineExceeded: it was not ready in time.
        """
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise ChildLost("start", None, str(error)) from error
        stderr = -1
        try:
            stderr = _bounded_file()
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
                    start_new_session=True,  # kill() reaches its descendants, and Ctrl-C does not reach it
                    env={**env, "PYTHONPATH": _python_path()},
                )
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException as error:
            ours.close()
            if stderr >= 0:
                os.close(stderr)
            if isinstance(error, OSError):
                raise ChildLost("start", None, str(error)) from error
            raise  # a started child sees that its socket is closed, and exits
        child = cls(process, reader, writer, stderr, limits)
        try:
            child.ready = (await child.call(config, deadline=Deadline(limits.start_seconds))).header
        except BaseException:
            await child.close()
            raise
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    async def call(
        self, question: Header, payload: Payload = b"", *, deadline: Deadline, asked: Asked | None = None
    ) -> Reply:
        """Send one question and return the answer. On any error or cancellation, the child is killed.

        `asked` answers what the child asks before it answers.

        Raises:
            ChildLost, DeadlineExceeded.
        """
        began = time.monotonic()
        asking = asyncio.ensure_future(self._ask(question, payload, asked))
        try:
            while not asking.done():
                left = min(deadline.left(), self._limits.seconds - (time.monotonic() - began))
                pause = _LOOK_SECONDS if self._verdict else max(0.0, min(_LOOK_SECONDS, left))
                await asyncio.wait({asking}, timeout=pause)
                if not asking.done():
                    self._look(time.monotonic() - began, deadline)
            return asking.result()
        except BaseException:
            self.kill()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            raise

    def resident_bytes(self) -> int:
        """Resident memory of the child and its descendants; 0 after it ended."""
        return _memory(self.pid)

    def last_words(self) -> str:
        end = os.lseek(self._stderr, 0, os.SEEK_CUR)  # parent and child share the file offset
        tail = os.pread(self._stderr, min(end, _LAST_WORDS), max(0, end - _LAST_WORDS))
        return tail.decode(errors="replace").strip()

    def lost(self, status: int) -> ChildLost:
        """The exception for a child that ended with this status."""
        return ChildLost(self._verdict or _cause(status), status, self.last_words())

    def end(self, verdict: Cause) -> None:
        """Kill the child; its current or next call raises this cause."""
        self._verdict = self._verdict or verdict
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the child and its descendants."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        self.kill()
        self._limits.common.children.discard(self)
        self._writer.close()
        try:
            await self._process.wait()
        finally:
            if self._stderr >= 0:
                os.close(self._stderr)
                self._stderr = -1

    async def _ask(self, question: Header, payload: Payload, asked: Asked | None) -> Reply:
        reply = None
        try:
            reply = await self._exchange(question, payload, asked)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except orjson.JSONDecodeError:
            self.end("answer")
        if reply is None or self._verdict is not None:
            raise self.lost(await self._process.wait())
        return reply

    async def _exchange(self, question: Header, payload: Payload, asked: Asked | None) -> Reply | None:
        self._write(question, payload)
        await self._writer.drain()
        replying: list[asyncio.Task[None]] = []
        try:
            while (frame := await self._frame()) and "ask" in frame.header:
                replying.append(asyncio.create_task(self._reply(frame, asked)))
            return frame
        finally:
            for task in replying:
                task.cancel()

    async def _reply(self, frame: Reply, asked: Asked | None) -> None:
        reply = await asked(frame.header["ask"], frame.payload) if asked else None
        self._write({"number": frame.header["number"], "reply": reply}, b"")

    def _write(self, header: Header, payload: Payload) -> None:
        encoded = orjson.dumps(header)
        self._writer.write(LENGTHS.pack(len(encoded), size_of(payload)) + encoded)
        for piece in pieces_of(payload):
            if piece:
                self._writer.write(piece)

    async def _frame(self) -> Reply | None:
        """The child's next frame; None if it exceeds a limit, and the child is killed."""
        header_size, payload_size = LENGTHS.unpack(await self._reader.readexactly(LENGTHS.size))
        if header_size + payload_size > self._limits.answer_bytes:
            self.end("answer")
            return None
        header = orjson.loads(await self._reader.readexactly(header_size))
        body = await self._reader.readexactly(payload_size)
        if os.lseek(self._stderr, 0, os.SEEK_CUR) > STDERR_BYTES - _ONE_WRITE:
            self.end("stderr")
        return Reply(header, body)

    def _look(self, seconds: float, deadline: Deadline) -> None:
        if not deadline.left():
            raise DeadlineExceeded
        if seconds >= self._limits.seconds:
            self.end("time")
        if self.resident_bytes() > self._limits.resident_bytes:
            self.end("memory")
        self._limits.common.check()


def _cause(status: int) -> Cause:
    return "killed" if status == -signal.SIGKILL else "crashed"


def _memory(pid: int, *, private: bool = False) -> int:
    """Resident bytes of a process and its descendants; `private`: without shared and file-backed pages."""
    total, pids = 0, [pid]
    while pids:
        one = pids.pop()
        with contextlib.suppress(OSError):
            _, resident, shared, *_ = map(int, _read(f"/proc/{one}/statm").split())
            total += (resident - shared * private) * _MEMORY_PAGE
            pids += map(int, _read(f"/proc/{one}/task/{one}/children").split())
    return total


def _read(path: str) -> bytes:
    """A small file of /proc; called after each page, where `pathlib` would cost more than the reading."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 1 << 16)
    finally:
        os.close(file)


def _bounded_file() -> int:
    """An unnamed file that cannot grow: it uses memory only for written data, and writes past its end fail."""
    file = os.memfd_create("stderr", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(file, STDERR_BYTES)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
    return file


def _python_path() -> str:
    return os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
