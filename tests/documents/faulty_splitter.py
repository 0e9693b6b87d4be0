"""A splitter that misbehaves on pages of certain widths, in points, and takes all others apart as it should.

For `API_GATEWAY_ENVIRONMENT=test` and `API_GATEWAY_TEST_SPLITTER=tests.documents.faulty_splitter` only.
The faults are real.
"""

from __future__ import annotations

import ctypes
import enum
import os
import signal
import time
from pathlib import Path
from typing import Any

from api_gateway.documents.pdf import Pdf
from api_gateway.documents.splitter_child import Frame, Splitter
from service_kit.child_main import run

MARK = "FAULTY_SPLITTER"  # a file: what happens once only has happened when it is there

_MIB = 1 << 20


class Fault(enum.IntEnum):
    """What a page of this width does to the splitter."""

    SEGFAULT = 201
    KILLED_ONCE = 202
    SPIN = 203
    EAT_MEMORY = 204
    SLOW = 205


class Faulty(Splitter):
    def _page(self, header: dict[str, Any]) -> Frame:
        assert isinstance(self._document, Pdf)
        width = round(self._document._document.get_page_size(header["page"] - 1)[0])
        if width in list(Fault):
            _misbehave(Fault(width))
        return super()._page(header)


def _misbehave(fault: Fault) -> None:
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
        case Fault.EAT_MEMORY:
            eaten: list[bytearray] = []
            while len(eaten) < 100:
                eaten.append(bytearray(os.urandom(4096)) * (16 * _MIB // 4096))
                time.sleep(0.02)
            time.sleep(3600)


if __name__ == "__main__":
    run(Faulty)
