"""A splitter that misbehaves on pages of certain widths, in points, and splits all others correctly.

With START in its environment, it never becomes ready.

For `API_GATEWAY_ENVIRONMENT=test` and `API_GATEWAY_TEST_SPLITTER=tests.documents.faulty_splitter` only.
The faults are real.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import os
import signal
import time
from pathlib import Path

from api_gateway.children.pdf_pages import PdfPages
from api_gateway.children.split_main import SplitHandler
from service_kit.child_main import run
from service_kit.frames import Header

MARK = "FAULTY_SPLITTER"  # a file: if it exists, the faults that happen only once have happened
START = "FAULTY_SPLITTER_START"

_MIB = 1 << 20


class Fault(enum.IntEnum):
    """The splitter's fault on a page of this width."""

    SEGFAULT = 201
    KILLED_ONCE = 202
    SPIN = 203
    EAT_MEMORY = 204
    SLOW = 205
    CHATTER = 206
    LONG_ANSWER = 207


class Faulty(SplitHandler):
    def __init__(self, config: Header) -> None:
        super().__init__(config)
        if START in os.environ:
            time.sleep(3600)

    def _page(self, header: Header) -> tuple[Header, bytes]:
        assert isinstance(self._document, PdfPages)
        width = round(self._document._file._document.get_page_size(header["page"] - 1)[0])
        if width in list(Fault):
            _misbehave(Fault(width))
        known, picture = super()._page(header)
        return known, picture if width != Fault.LONG_ANSWER else bytes(100 * _MIB)


def _misbehave(fault: Fault) -> None:  # noqa: C901
    match fault:
        case Fault.SEGFAULT:
            ctypes.string_at(0)
        case Fault.KILLED_ONCE:
            mark = Path(os.environ[MARK])
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        case Fault.SPIN:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            while True:
                pass
        case Fault.SLOW:
            time.sleep(0.2)
        case Fault.CHATTER:
            with contextlib.suppress(OSError):
                while True:
                    os.write(2, b"x" * 4096)
        case Fault.EAT_MEMORY:
            eaten: list[bytearray] = []
            while len(eaten) < 100:
                eaten.append(bytearray(os.urandom(4096)) * (16 * _MIB // 4096))
                time.sleep(0.02)
            time.sleep(3600)


if __name__ == "__main__":
    run(lambda config, _: Faulty(config))
