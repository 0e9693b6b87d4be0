"""TIFF (6.0): its directories, in a whole file or in one that is still arriving. No pixels are decoded."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from mmap import mmap
from typing import NamedTuple

Data = bytes | bytearray | mmap | memoryview

SHORT, LONG, RATIONAL = 3, 4, 5
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # bytes of each type's value
_SUBFILE, _SUBDIRECTORIES, _DNG_VERSION = 254, 330, 50706
_NO_UNIT, _CENTIMETRES = 1, 3
_CREDIBLE_DPI = (10, 10_000)
_MOST_TAGS = 1000


class Damaged(ValueError):
    """The data are not a valid TIFF."""


class CutShort(Damaged):
    """An offset points beyond the data; `needed` is how many bytes are required."""

    def __init__(self, needed: int) -> None:
        super().__init__()
        self.needed = needed


class Field(NamedTuple):
    type: int
    number: int  # count of values
    data: bytes


class Look(NamedTuple):
    """What is known from the data so far."""

    more_pages: bool | None  # None: not known yet
    needed: int = 0  # bytes that must have arrived before the next look
    dpi: float | None = None  # vertical, of the first page; it may be missing until the data are complete


def look(data: Data, *, whole: bool) -> Look:
    """Whether a second directory follows the first; always decided if the data are `whole`.

    While data are still arriving, the offset of a second directory is enough.
    """
    try:
        (at,) = unpack(order(data) + "I", data, 4)
        following = _following(data, at)
    except CutShort as cut:
        return Look(False) if whole else Look(None, cut.needed)
    except Damaged:
        return Look(False)
    more_pages = len([*directories(data, 2)]) > 1 if whole else following not in (0, at)
    more_pages = more_pages and not _is_raw(data, at)
    try:
        dpi = resolution(data, fields(data, at, (X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT)))
    except Damaged:
        dpi = None
    return Look(more_pages, dpi=dpi)


def _is_raw(data: Data, at: int) -> bool:
    """Whether it is a camera's raw file: its directories are not pages, and the model server refuses it."""
    try:
        found = fields(data, at, (_SUBFILE, _SUBDIRECTORIES, _DNG_VERSION))
        is_thumbnail = bool(number(data, found.get(_SUBFILE), 0) & 1)
    except Damaged:
        return False
    return piece(data, 8, 2) == b"CR" or _DNG_VERSION in found or (is_thumbnail and _SUBDIRECTORIES in found)


def directories(data: Data, most: int) -> Iterator[int]:
    """Offset of each directory; a broken or circular chain ends there.

    Raises:
        Damaged: the first one is missing.
    """
    (at,) = unpack(order(data) + "I", data, 4)
    seen: set[int] = set()
    while at and at not in seen and len(seen) < most:
        try:
            following = _following(data, at)
        except Damaged:
            if not seen:
                raise
            return
        seen.add(at)
        yield at
        at = following


def fields(data: Data, at: int, tags: Collection[int]) -> dict[int, Field]:
    """The directory's fields with these tags.

    Raises:
        Damaged.
    """
    found = {}
    for entry in _entries(data, at):
        tag, kind, count = unpack(order(data) + "HHI", data, entry)
        if tag in tags:
            size = _SIZES.get(kind, 0) * count
            start = entry + 8 if size <= 4 else unpack(order(data) + "I", data, entry + 8)[0]
            found[tag] = Field(kind, count, piece(data, start, size))
    return found


def numbers(data: Data, field: Field) -> tuple[int, ...]:
    code = {1: "B", SHORT: "H", LONG: "I"}.get(field.type)
    if code is None:
        raise Damaged
    return struct.unpack(f"{order(data)}{field.number}{code}", field.data)


def number(data: Data, field: Field | None, default: int) -> int:
    found = numbers(data, field) if field else ()
    return found[0] if found else default


def resolution(data: Data, found: dict[int, Field]) -> float | None:
    """Pixels per inch, vertical if that is given; None if it is not credible."""
    field = found.get(Y_RESOLUTION) or found.get(X_RESOLUTION)
    unit = number(data, found.get(RESOLUTION_UNIT), 2)
    if field is None or field.type != RATIONAL or len(field.data) != 8 or unit == _NO_UNIT:
        return None
    above, below = struct.unpack(order(data) + "II", field.data)
    dpi = above / below * (2.54 if unit == _CENTIMETRES else 1) if below else 0.0
    return round(dpi, 2) if _CREDIBLE_DPI[0] <= dpi <= _CREDIBLE_DPI[1] else None


def order(data: Data) -> str:
    """Byte order, as a character for `struct`."""
    mark = piece(data, 0, 4)
    if mark not in (b"II*\0", b"MM\0*"):
        raise Damaged
    return "<" if mark[0] == ord("I") else ">"


def unpack(form: str, data: Data, at: int) -> tuple[int, ...]:
    needed = at + struct.calcsize(form)
    if needed > len(data):
        raise CutShort(needed)
    return struct.unpack_from(form, data, at)


def piece(data: Data, start: int, size: int) -> bytes:
    if start + size > len(data):
        raise CutShort(start + size)
    return bytes(data[start : start + size])


def _entries(data: Data, at: int) -> range:
    (count,) = unpack(order(data) + "H", data, at)
    if not 0 < count <= _MOST_TAGS:
        raise Damaged
    return range(at + 2, at + 2 + 12 * count, 12)


def _following(data: Data, at: int) -> int:
    """Offset of the next directory; 0: there is none."""
    return unpack(order(data) + "I", data, _entries(data, at).stop)[0]
