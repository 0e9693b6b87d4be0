"""The child's side of `service_kit.child`."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import orjson

from service_kit.frames import LENGTHS, Header

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterable

_PR_SET_PDEATHSIG = 1
_NICENESS = 5  # lower priority than the parent, which answers probes


class Handler(Protocol):
    """The child's work. `ready` describes it; `answer` must return, or the process must end."""

    ready: Header

    def answer(self, header: Header, payload: bytes) -> tuple[Header, bytes]: ...


class Parent:
    """What a handler may ask of its parent while it answers: work for others, which may refuse it or fail."""

    def __init__(self, stream: io.BufferedRWPair) -> None:
        self._stream = stream
        self._asked = 0

    def ask(self, question: Header, payload: bytes) -> int:
        """Send a question, without waiting; returns its number."""
        self._asked += 1
        _write(self._stream, {"ask": question, "number": self._asked}, payload)
        return self._asked

    def replies(self, numbers: Iterable[int]) -> list[Header | None]:
        """Wait for the replies to these questions. None: nobody has answered."""
        wanted = [*numbers]
        found: dict[int, Header | None] = {}
        while any(number not in found for number in wanted):
            header, _ = _read(self._stream)
            found[header["number"]] = header["reply"]
        return [found[number] for number in wanted]


def run(make_handler: Callable[[Header, Parent], Handler]) -> None:
    """Serve frames until the parent closes its end."""
    _die_with_the_parent()
    faulthandler.enable()  # a crash writes a traceback to standard error
    step_back()
    with socket.socket(fileno=int(sys.argv[1])) as channel, channel.makefile("rwb") as stream:
        config, _ = _read(stream)
        handler = make_handler(config, Parent(stream))
        _write(stream, handler.ready, b"")
        while True:
            try:
                header, payload = _read(stream)
            except EOFError:
                return
            if "reply" in header:  # to a question of an answer that failed
                continue
            forget_complaints()
            _write(stream, *handler.answer(header, payload))


def step_back() -> None:
    """Lower this process's priority below the parent's, also where the kernel schedules by session (autogroup)."""
    os.nice(_NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICENESS))


def confine(address_space: int) -> None:
    """A last limit for children that parse untrusted files: the parent should kill us long before."""
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # the kernel kills us before the parent


def forget_complaints() -> None:
    """Rewind standard error; its file keeps its size."""
    os.lseek(2, 0, os.SEEK_SET)


def complaints() -> str:
    """Text written to standard error since the last `forget_complaints`."""
    size = os.lseek(2, 0, os.SEEK_CUR)
    return os.pread(2, size, 0).decode(errors="replace") if size else ""


def _read(stream: io.BufferedRWPair) -> tuple[Header, bytes]:
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        raise EOFError
    header_size, payload_size = LENGTHS.unpack(lengths)
    return orjson.loads(stream.read(header_size)), stream.read(payload_size)


def _write(stream: io.BufferedRWPair, header: Header, payload: bytes) -> None:
    encoded = orjson.dumps(header)
    stream.write(LENGTHS.pack(len(encoded), len(payload)))
    stream.write(encoded)
    stream.write(payload)
    stream.flush()


def _die_with_the_parent() -> None:
    """End this process when its parent is killed (Linux; elsewhere it ends at its next read)."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
