"""The UserUnit of each page, which PDFium does not tell: the size of a page's units, as a multiple of 1/72 inch.

qpdf tells it, but opening a file with qpdf takes time and memory. Hence the file's bytes are searched for the name
first, also in its packed object streams; few files have it.
"""

from __future__ import annotations

import math
import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME, _PACKED = b"/UserUnit", b"/ObjStm"
_PIECE = 1 << 20
_PACKED_PIECE = 64 << 10
_OVERLAP = 16  # more than the length of a name
_LONGEST_DICTIONARY = 2048  # bytes from the name of an object stream to its data
_MOST_UNPACKED = 32 << 20  # of all object streams; qpdf is asked about a file that has more


def read(path: Path, password: str | None, *, repaired: bool) -> dict[int, float]:
    """By page number; pages without one are left out, and all pages of a file that qpdf can't read."""
    with path.open("rb") as file:
        if not _may_have(file):
            return {}
    from api_gateway.children import qpdf_file  # noqa: PLC0415 - few files need it

    found = {}
    try:
        with (qpdf_file.repaired if repaired else qpdf_file.opened)(path, password) as pdf:
            for number, page in enumerate(pdf.pages, 1):
                unit = _number(page.obj.get("/UserUnit"))
                if math.isfinite(unit) and unit > 0:
                    found[number] = unit
    except Exception:  # noqa: BLE001 - libraries raise undocumented exceptions on damaged files
        return {}
    return found


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float | Decimal) else 1.0


def _may_have(file: BinaryIO) -> bool:
    left = _MOST_UNPACKED
    at, tail = 0, b""
    while piece := file.read(_PIECE):
        data = tail + piece
        if _NAME in data:
            return True
        start = at - len(tail)
        for found in _places(data, _PACKED):
            file.seek(start + found)
            for unpacked in _unpacked(file):
                left -= len(unpacked)
                if left < 0 or _NAME in unpacked:
                    return True
        at += len(piece)
        file.seek(at)
        tail = data[-_OVERLAP:]
    return False


def _places(data: bytes, name: bytes) -> Iterator[int]:
    at = data.find(name)
    while at >= 0:
        yield at
        at = data.find(name, at + 1)


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Data of the object stream at this place, in overlapping pieces; the name itself if it can't be unpacked."""
    head = file.read(_LONGEST_DICTIONARY)
    begin = head.find(b"stream")
    packed = head[begin + len(b"stream") :].removeprefix(b"\r").removeprefix(b"\n")
    stream = zlib.decompressobj()
    tail = b""
    try:
        while begin >= 0 and packed and not stream.eof:
            unpacked = stream.decompress(packed, _PIECE)
            yield tail + unpacked
            tail = unpacked[-_OVERLAP:]
            packed = stream.unconsumed_tail or file.read(_PACKED_PIECE)
    except zlib.error:  # encrypted, damaged, or with another filter
        yield _NAME
