"""TIFF (6.0): its pages are cut out as they are, each into a file of its own; nothing is decoded here.

A page keeps the tags that say how its pixels are stored and which way is up. Sub-directories, colour profiles
and notes stay behind.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from api_gateway.documents.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from mmap import mmap

    Data = bytes | bytearray | mmap | memoryview

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # bytes of each type's value
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION = 254, 256, 257, 259
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_STRIPS, _TILES, _OLD_JPEG = (273, 279), (324, 325), (513, 514)  # where the pixels are: offsets, and bytes of each
_KEPT = frozenset({
    256, 257, 258, 259, 262, 266, 274, 277, 278, 282, 283, 284, 292, 293, 296, 317, 320, 322, 323, 332, 338, 339,
    340, 341, 347, 512, 515, 517, 518, 529, 530, 531, 532,
})  # fmt: skip
_NOT_A_PAGE = 0b101  # the bits of NewSubfileType for thumbnails and masks
_STORED, _DEFLATED = 1, 8
_CENTIMETRES = 3
_CREDIBLE_DPI = (10, 10_000)
_MOST_TAGS = 1000
_MOST_DIRECTORIES = 100_000


class Damaged(ValueError):
    """It is not laid out as a TIFF is."""


class Field(NamedTuple):
    type: int
    number: int  # of values
    data: bytes


@dataclass(frozen=True, slots=True)
class PageSize:
    """As stored: before it is turned upright."""

    width: int
    height: int
    dpi: float | None


def has_more_pages(data: Data) -> bool:
    """Whether a second directory follows the first."""
    try:
        return len([*_directories(data, most=2)]) > 1
    except Damaged:
        return False


class Tiff:
    def __init__(self, data: Data) -> None:
        """Find the pages; a chain that leads nowhere or in circles ends there.

        Raises:
            Refused: there is none.
        """
        self._data = data
        found: list[int] = []
        try:
            found.extend(_directories(data, _MOST_DIRECTORIES))
        except Damaged:
            raise Refused("damaged_document", "The TIFF is damaged: its list of pages is cut short.") from None
        every = list(enumerate(found))
        self._pages = [(frame, at) for frame, at in every if not self._is_no_page(at)] or every

    @property
    def page_count(self) -> int:
        return len(self._pages)

    def frame(self, number: int) -> int:
        """Which directory of the file page `number` is, counted from 0; thumbnails and masks count, too."""
        return self._pages[number - 1][0]

    def cut(self, number: int, most_bytes: int) -> tuple[PageSize, bytes]:
        """Page `number` as a file; one that is stored plainly and over `most_bytes` is deflated.

        Raises:
            Refused: its directory leads outside of the file.
        """
        try:
            fields = self._fields(self._pages[number - 1][1])
            size = self._size(fields)
            pieces, places = self._pixels(fields)
            kept = {tag: field for tag, field in fields.items() if tag in _KEPT}
            if self._number(fields, _COMPRESSION, _STORED) == _STORED and sum(map(len, pieces)) > most_bytes:
                pieces = [zlib.compress(piece, 1) for piece in pieces]
                kept[_COMPRESSION] = Field(_SHORT, 1, struct.pack(self._order + "H", _DEFLATED))
            return size, _assemble(self._order, kept, pieces, places)
        except Damaged:
            raise Refused("damaged_page", "The page's directory is damaged.") from None

    @property
    def _order(self) -> str:
        return _order(self._data)

    def _is_no_page(self, at: int) -> bool:
        try:
            return bool(self._number(self._fields(at), _SUBFILE, 0) & _NOT_A_PAGE)
        except Damaged:
            return False

    def _fields(self, at: int) -> dict[int, Field]:
        order, data = self._order, self._data
        found = {}
        for entry in _entries(data, at):
            tag, kind, count = _unpack(order + "HHI", data, entry)
            size = _SIZES.get(kind, 0) * count
            start = entry + 8 if size <= 4 else _unpack(order + "I", data, entry + 8)[0]
            if tag in _KEPT or tag in (_SUBFILE, *_STRIPS, *_TILES, *_OLD_JPEG):
                found[tag] = Field(kind, count, _piece(data, start, size))
        return found

    def _numbers(self, fields: dict[int, Field], tag: int) -> tuple[int, ...]:
        field = fields[tag]
        code = {1: "B", _SHORT: "H", _LONG: "I"}.get(field.type)
        if code is None:
            raise Damaged
        return struct.unpack(f"{self._order}{field.number}{code}", field.data)

    def _number(self, fields: dict[int, Field], tag: int, default: int) -> int:
        found = self._numbers(fields, tag) if tag in fields else ()
        return found[0] if found else default

    def _size(self, fields: dict[int, Field]) -> PageSize:
        width, height = self._number(fields, _WIDTH, 0), self._number(fields, _HEIGHT, 0)
        if not width or not height:
            raise Damaged
        return PageSize(width, height, self._dpi(fields))

    def _dpi(self, fields: dict[int, Field]) -> float | None:
        field = fields.get(_Y_RESOLUTION) or fields.get(_X_RESOLUTION)
        unit = self._number(fields, _RESOLUTION_UNIT, 2)
        if field is None or field.type != _RATIONAL or len(field.data) != 8 or unit == 1:
            return None
        above, below = struct.unpack(self._order + "II", field.data)
        dpi = above / below * (2.54 if unit == _CENTIMETRES else 1) if below else 0.0
        return round(dpi, 2) if _CREDIBLE_DPI[0] <= dpi <= _CREDIBLE_DPI[1] else None

    def _pixels(self, fields: dict[int, Field]) -> tuple[list[bytes], tuple[int, int]]:
        for places in (_STRIPS, _TILES, _OLD_JPEG):
            if places[0] in fields:
                offsets = self._numbers(fields, places[0])
                sizes = self._numbers(fields, places[1]) if places[1] in fields else self._rest(fields, offsets)
                if len(offsets) != len(sizes) or sum(sizes) > len(self._data):
                    raise Damaged
                return [_piece(self._data, *place) for place in zip(offsets, sizes, strict=True)], places
        raise Damaged

    def _rest(self, fields: dict[int, Field], offsets: Sequence[int]) -> tuple[int, ...]:
        """The bytes of a single strip whose length was left out: all that follows."""
        if len(offsets) != 1 or _TILES[0] in fields:
            raise Damaged
        return (max(0, len(self._data) - offsets[0]),)


def write_grey(pixels: bytes | memoryview, width: int, height: int, dpi: float, *, deflated: bool) -> bytes:
    """8-bit grey, white as 255, in one strip."""
    short = {
        258: 8,
        _COMPRESSION: _DEFLATED if deflated else _STORED,
        262: 1,  # black is zero
        277: 1,
        _RESOLUTION_UNIT: 2,
    }
    fields = {tag: Field(_SHORT, 1, struct.pack("<H", value)) for tag, value in short.items()}
    fields |= {
        tag: Field(_LONG, 1, struct.pack("<I", value))
        for tag, value in {_WIDTH: width, _HEIGHT: height, 278: height}.items()
    }
    resolution = Field(_RATIONAL, 1, struct.pack("<II", round(100 * dpi), 100))
    fields |= {_X_RESOLUTION: resolution, _Y_RESOLUTION: resolution}
    return _assemble("<", fields, [pixels], _STRIPS)


def _assemble(
    order: str, fields: dict[int, Field], pieces: Sequence[bytes | memoryview], places: tuple[int, int]
) -> bytes:
    """A file of one page: header, directory, what does not fit into it, pixels."""
    count = len(pieces)
    tags = sorted([*fields, *places])
    behind = 8 + 2 + 12 * len(tags) + 4
    long_values = {tag: field.data for tag, field in fields.items() if len(field.data) > 4}
    at = behind + sum(len(value) + len(value) % 2 for value in long_values.values())
    table = 0 if count == 1 else 4 * count
    offsets = []
    pixels_at = at + 2 * table
    for piece in pieces:
        offsets.append(pixels_at)
        pixels_at += len(piece)
    whole = dict(fields)
    whole[places[0]] = Field(_LONG, count, struct.pack(f"{order}{count}I", *offsets))
    whole[places[1]] = Field(_LONG, count, struct.pack(f"{order}{count}I", *map(len, pieces)))
    head = [
        struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8),
        struct.pack(order + "H", len(tags)),
    ]
    tail = []
    for tag in tags:
        kind, number, value = whole[tag]
        head.append(struct.pack(order + "HHI", tag, kind, number))
        if len(value) <= 4:
            head.append(value.ljust(4, b"\0"))
        else:
            head.append(struct.pack(order + "I", behind))
            tail.append(value + bytes(len(value) % 2))
            behind += len(tail[-1])
    return b"".join([*head, bytes(4), *tail, *pieces])


def _directories(data: Data, most: int) -> Iterator[int]:
    """Where each directory is.

    Raises:
        Damaged: not even the first one is there.
    """
    order = _order(data)
    (at,) = _unpack(order + "I", data, 4)
    seen: set[int] = set()
    while at and at not in seen and len(seen) < most:
        try:
            entries = _entries(data, at)
            (following,) = _unpack(order + "I", data, at + 2 + 12 * len(entries))
        except Damaged:
            if not seen:
                raise
            return
        seen.add(at)
        yield at
        at = following


def _order(data: Data) -> str:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
    if order is None:
        raise Damaged
    return order


def _entries(data: Data, at: int) -> range:
    (count,) = _unpack(_order(data) + "H", data, at)
    if not 0 < count <= _MOST_TAGS:
        raise Damaged
    return range(at + 2, at + 2 + 12 * count, 12)


def _unpack(form: str, data: Data, at: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, data, at)
    except struct.error:
        raise Damaged from None


def _piece(data: Data, start: int, size: int) -> bytes:
    found = bytes(data[start : start + size])
    if len(found) != size:
        raise Damaged
    return found
