"""JPEGs whose last bytes are missing: finds that out, and decodes them if nearly all pixels are there.

Where the data end, libjpeg goes on with blocks of one level: the middle one, or in a progressive file that of the
scans before. So a file with such a last corner is decoded twice, the second time with other data behind its end:
the pixels differ from the first block that is missing. In a progressive file all blocks are there when the last
scan begins; if that one refines them, it adds no more than the last bit of their coefficients.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from PIL import Image, ImageChops

LEAST_SHARE = 0.98  # of the blocks

_END = b"\xff\xd9"
_OTHER_DATA = Random(1).randbytes(8192).replace(b"\xff", b"\x55")  # noqa: S311 - noise
_UNWRITTEN = bytes(16)  # at least, at the end of a file that was not written or not downloaded
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FRAMES = (0xC0, 0xC1, 0xC2)
_FRAME_LIKE, _SCAN = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}, 0xDA
_NOT_FOUND = (struct.error, IndexError, KeyError, ValueError)
_COEFFICIENTS = 64
_BLOCK = 8  # pixels
_MIDDLE = (126, 130)  # the least and the highest level of a missing block, as the colour conversion may round it


class _Frame(NamedTuple):
    """Size of the image and of a block of all components together, in pixels, and the components' names."""

    width: int
    height: int
    block_width: int
    block_height: int
    components: bytes


class _Scans(NamedTuple):
    """`end` is where the data of the last one end; `refines`: it adds bits to coefficients that are there."""

    frame: _Frame
    end: int
    refines: bool


def written(data: bytes) -> bytes:
    """The file without zeros behind it, which could be decoded as pixels."""
    return data.rstrip(b"\0") if data.endswith(_UNWRITTEN) else data


def ends_early(data: bytes, image: Image.Image) -> bool:
    """Whether blocks are missing from an image that was decoded although its data end early.

    Only an image with one level in its last corner can be such a one, and in a file that is not progressive only
    with the middle level. A second decoding costs 1 % of reading it.
    """
    corner = image.crop((image.width - _BLOCK, image.height - _BLOCK, image.width, image.height))
    extrema: Any = corner.convert("L").getextrema()
    if extrema[0] != extrema[1] or not ("progressive" in image.info or _has_missing_level(corner)):
        return False
    try:
        scans = _scans(data)
        return _share(data[: scans.end], image, scans.frame) < 1
    except (*_NOT_FOUND, OSError):  # it was decoded once
        return False


def _has_missing_level(corner: Image.Image) -> bool:
    ranges: list[Any] = [band.getextrema() for band in corner.split()]
    return any(_MIDDLE[0] <= least and most <= _MIDDLE[1] for least, most in ranges)


def decoded(data: bytes) -> Image.Image | None:
    """The loaded image; None if a scan or more than the rest of `LEAST_SHARE` of the blocks is missing."""
    try:
        scans = _scans(data.rstrip(b"\xff"))
    except _NOT_FOUND:
        return None
    data = data[: scans.end]
    image = _loaded(data + _END)
    return image if scans.refines or _share(data, image, scans.frame) >= LEAST_SHARE else None


def _share(data: bytes, image: Image.Image, frame: _Frame) -> float:
    """The share of the blocks that are in the data; `image` was decoded from them."""
    return _blocks_before(ImageChops.difference(image, _loaded(data + _OTHER_DATA + _END)), frame)


def _loaded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    image.draft("L", None)
    image.load()
    return image


def _blocks_before(difference: Image.Image, frame: _Frame) -> float:
    """The share of the blocks before the first one that differs."""
    first = difference.getbbox()
    if first is None:
        return 1.0
    columns = -(-frame.width // frame.block_width)
    rows = -(-frame.height // frame.block_height)
    row = first[1] // frame.block_height
    top = row * frame.block_height
    in_row = difference.crop((0, top, frame.width, min(frame.height, top + frame.block_height))).getbbox()
    column = in_row[0] // frame.block_width if in_row else 0
    return (row * columns + column) / (rows * columns)


def _scans(data: bytes) -> _Scans:
    """Check that all scans have begun, so that only the last one can be incomplete.

    Raises:
        struct.error, IndexError, KeyError, ValueError: one is missing, or the file is damaged in another way.
    """
    frame: _Frame | None = None
    refines = False
    missing: dict[int, set[int]] = {}
    end = 0
    for marker, segment, behind in _segments(data):
        end = behind
        if marker in _FRAME_LIKE:
            if marker not in _FRAMES:
                raise ValueError
            frame = _frame(segment)
            missing = {name: set(range(_COEFFICIENTS)) for name in frame.components}
        elif marker == _SCAN:
            names = segment[1 : 1 + 2 * segment[0] : 2]
            first, last, precision = segment[1 + 2 * segment[0] :]
            refines = precision >> 4 > 0
            if precision & 0xF == 0:  # the last bit of these coefficients
                for name in names:
                    missing[name] -= {*range(first, last + 1)}
    if frame is None or any(missing.values()):
        raise ValueError
    return _Scans(frame, end, refines)


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Each segment's marker, content, and the end of the data that belong to it, until the end of the image."""
    at = 2
    while at + 4 <= len(data) and data[at + 1] != _END[1]:
        marker = data[at + 1]
        if data[at] != 0xFF:
            raise ValueError
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        (size,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at + 4 : at + 2 + size]
        at += 2 + size
        if marker == _SCAN:
            after = _AFTER_SCAN.search(data, at)
            at = after.start() if after else len(data)
        yield marker, segment, min(at, len(data))


def _frame(segment: bytes) -> _Frame:
    height, width, count = struct.unpack_from(">HHB", segment, 1)
    factors = [segment[7 + 3 * number] for number in range(count)]
    across, down = (max(f >> 4 for f in factors), max(f & 0xF for f in factors)) if count > 1 else (1, 1)
    return _Frame(width, height, _BLOCK * across, _BLOCK * down, segment[6 : 6 + 3 * count : 3])
