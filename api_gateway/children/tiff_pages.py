"""TIFF (6.0): copies each page into its own file, without decoding it.

A page keeps the tags that describe the storage of its pixels and its orientation. Sub-directories, colour profiles
and comments are left out.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from api_gateway.children.refusal import Refused
from api_gateway.uploads import tiff_directory
from api_gateway.uploads.tiff_directory import (
    LONG,
    RATIONAL,
    RESOLUTION_UNIT,
    SHORT,
    X_RESOLUTION,
    Y_RESOLUTION,
    Damaged,
    Data,
    Field,
)

_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION = 254, 256, 257, 259
_STRIPS, _TILES, _OLD_JPEG = (273, 279), (324, 325), (513, 514)  # tags of the pixels: offsets and byte counts
_KEPT = frozenset({
    256, 257, 258, 259, 262, 266, 274, 277, 278, 282, 283, 284, 292, 293, 296, 317, 320, 322, 323, 332, 338, 339,
    340, 341, 347, 512, 515, 517, 518, 529, 530, 531, 532,
})  # fmt: skip
_READ = _KEPT | {_SUBFILE, *_STRIPS, *_TILES, *_OLD_JPEG}
_NOT_A_PAGE = 0b101  # the bits of NewSubfileType for thumbnails and masks
_STORED, _DEFLATED = 1, 8
_MOST_DIRECTORIES = 100_000
_MOST_BEGINNINGS = 1_000_000


class StoredSize(NamedTuple):
    """Size of a page before it is turned upright."""

    width: int
    height: int
    dpi: float | None


class TiffPages:
    def __init__(self, data: Data) -> None:
        """Find the pages; a broken or circular chain of directories ends there.

        Raises:
            Refused: there are none.
        """
        self._data = data
        self._begins: list[int] = []
        try:
            every = list(enumerate(tiff_directory.directories(data, _MOST_DIRECTORIES)))
        except Damaged:
            raise Refused("damaged_document", "The TIFF is damaged: its list of pages is cut short.") from None
        self._pages = [(frame, at) for frame, at in every if not self._is_no_page(at)] or every

    @property
    def page_count(self) -> int:
        return len(self._pages)

    def frame(self, number: int) -> int:
        """Index of the directory of page `number`, counted from 0; thumbnails and masks count too."""
        return self._pages[number - 1][0]

    def cut(self, number: int, most_bytes: int) -> tuple[StoredSize, bytes]:
        """Page `number` as a file; an uncompressed page over `most_bytes` is deflated.

        Raises:
            Refused: its directory points outside the file.
        """
        try:
            fields = tiff_directory.fields(self._data, self._pages[number - 1][1], _READ)
            size = self._size(fields)
            pieces, places = self._pixels(fields)
            kept = {tag: field for tag, field in fields.items() if tag in _KEPT}
            order = tiff_directory.order(self._data)
            if self._number(fields, _COMPRESSION, _STORED) == _STORED and sum(map(len, pieces)) > most_bytes:
                pieces = [zlib.compress(piece, 1) for piece in pieces]
                kept[_COMPRESSION] = Field(SHORT, 1, struct.pack(order + "H", _DEFLATED))
            return size, _assemble(order, kept, pieces, places)
        except Damaged:
            raise Refused("damaged_page", "The page's directory is damaged.") from None

    def _is_no_page(self, at: int) -> bool:
        try:
            fields = tiff_directory.fields(self._data, at, {_SUBFILE})
            return bool(self._number(fields, _SUBFILE, 0) & _NOT_A_PAGE)
        except Damaged:
            return False

    def _number(self, fields: dict[int, Field], tag: int, default: int) -> int:
        return tiff_directory.number(self._data, fields.get(tag), default)

    def _size(self, fields: dict[int, Field]) -> StoredSize:
        width, height = self._number(fields, _WIDTH, 0), self._number(fields, _HEIGHT, 0)
        if not width or not height:
            raise Damaged
        return StoredSize(width, height, tiff_directory.resolution(self._data, fields))

    def _pixels(self, fields: dict[int, Field]) -> tuple[list[bytes], tuple[int, int]]:
        for places in (_STRIPS, _TILES, _OLD_JPEG):
            if places[0] in fields:
                offsets = tiff_directory.numbers(self._data, fields[places[0]])
                counts = fields.get(places[1])
                sizes = self._sizes(offsets, tiff_directory.numbers(self._data, counts) if counts else ())
                pieces = [tiff_directory.piece(self._data, *place) for place in zip(offsets, sizes, strict=True)]
                return pieces, places
        raise Damaged

    def _sizes(self, offsets: Sequence[int], counts: Sequence[int]) -> Sequence[int]:
        """The byte counts; missing ones, 0 and too large ones are replaced: decoders do not need exact ones."""
        whole = len(self._data)
        sound = [0 < count <= whole - offset for offset, count in zip(offsets, counts, strict=False)]
        if len(counts) == len(offsets) and all(sound) and sum(counts) <= whole:
            return counts
        if sum(counts) > whole:
            sound = []
        sound += [False] * (len(offsets) - len(sound))
        sizes = [
            counts[number] if sound[number] else self._following(offset) - offset
            for number, offset in enumerate(offsets)
        ]
        if sum(sizes) > whole:
            raise Damaged
        return sizes

    def _following(self, offset: int) -> int:
        """Where the next pixels or the next directory of the file begin, or the file ends."""
        if not self._begins:
            self._begins = self._beginnings()
        return self._begins[min(bisect_right(self._begins, offset), len(self._begins) - 1)]

    def _beginnings(self) -> list[int]:
        found = [len(self._data)]
        for at in tiff_directory.directories(self._data, _MOST_DIRECTORIES):
            found.append(at)
            fields = tiff_directory.fields(self._data, at, {places[0] for places in (_STRIPS, _TILES, _OLD_JPEG)})
            for field in fields.values():
                if len(found) + field.number > _MOST_BEGINNINGS:
                    raise Damaged
                found += tiff_directory.numbers(self._data, field)
        return sorted(found)


def write_grey(pixels: bytes | memoryview, width: int, height: int, dpi: float, *, deflated: bool) -> bytes:
    """8-bit grey, white as 255, in one strip."""
    short = {
        258: 8,
        _COMPRESSION: _DEFLATED if deflated else _STORED,
        262: 1,  # black is zero
        277: 1,
        RESOLUTION_UNIT: 2,
    }
    fields = {tag: Field(SHORT, 1, struct.pack("<H", value)) for tag, value in short.items()}
    fields |= {
        tag: Field(LONG, 1, struct.pack("<I", value))
        for tag, value in {_WIDTH: width, _HEIGHT: height, 278: height}.items()
    }
    resolution = Field(RATIONAL, 1, struct.pack("<II", round(100 * dpi), 100))
    fields |= {X_RESOLUTION: resolution, Y_RESOLUTION: resolution}
    return _assemble("<", fields, [pixels], _STRIPS)


def _assemble(
    order: str, fields: dict[int, Field], pieces: Sequence[bytes | memoryview], places: tuple[int, int]
) -> bytes:
    """A file of one page: header, directory, values that do not fit into it, pixels."""
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
    whole[places[0]] = Field(LONG, count, struct.pack(f"{order}{count}I", *offsets))
    whole[places[1]] = Field(LONG, count, struct.pack(f"{order}{count}I", *map(len, pieces)))
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
