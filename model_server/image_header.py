"""An image's format and size from its first bytes: no decoding, no C library, a bounded number of steps.

This runs in the parent process on untrusted input. It tells how large a page is; a worker finds out later whether
the image is valid.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_server.errors import DamagedImage, EmptyImage, NotAnImage, UnsupportedImage

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS = ("png", "jpeg", "tiff", "webp", "bmp", "gif", "pnm", "heic", "avif")

_MOST_STEPS = 4096  # maximum segments, directory entries or boxes to examine
_MOST_BLOCKS = 65536  # of up to 255 bytes each, in GIF extensions


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Format, and size in pixels of the first page as stored (before EXIF rotation)."""

    format: str
    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height


def read_header(data: bytes) -> ImageHeader:
    """Read the header of an image file.

    Raises:
        EmptyImage, NotAnImage, UnsupportedImage, DamagedImage.
    """
    if not data:
        raise EmptyImage
    for begins, name, size_of in _READERS:
        if begins(data):
            try:
                width, height = size_of(data)
            except (struct.error, LookupError, ValueError):
                raise DamagedImage(f"The {name.upper()} header is damaged or cut short.") from None
            if width <= 0 or height <= 0:
                raise DamagedImage(f"The {name.upper()} header says that the image is {width} by {height}.")
            return ImageHeader(name, width, height)
    raise NotAnImage


def _png(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise ValueError
    return struct.unpack_from(">II", data, 16)


_JPEG_SIZES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    for _ in range(_MOST_STEPS):
        at = data.index(b"\xff", at) + 1
        marker = data[at]
        if marker == 0xFF:  # fill byte
            continue
        at += 1
        if marker in _JPEG_BARE:
            continue
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
        at += struct.unpack_from(">H", data, at)[0]
    raise ValueError


def _gif(data: bytes) -> tuple[int, int]:
    """Size of the canvas, or of the first frame if that is larger."""
    canvas = struct.unpack_from("<HH", data, 6)
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    blocks = 0
    while blocks < _MOST_BLOCKS:
        if data[at] == 0x2C:
            left, top, width, height = struct.unpack_from("<4H", data, at + 1)
            return max(canvas[0], left + width), max(canvas[1], top + height)
        if data[at] != 0x21:
            raise ValueError
        at += 2
        while data[at] and blocks < _MOST_BLOCKS:
            at += 1 + data[at]
            blocks += 1
        at += 1
        blocks += 1
    raise ValueError


def _bmp(data: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        return struct.unpack_from("<HH", data, 18)
    width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # negative: rows are stored top-down


_TIFF_TAGS = (254, 256, 257, 330, 50706)  # kind of picture, width, height, more pictures, version of DNG


def _tiff(data: bytes) -> tuple[int, int]:
    order = "<" if data[:2] == b"II" else ">"
    if struct.unpack_from(order + "H", data, 2)[0] == 43:
        raise UnsupportedImage("BigTIFF is not read.")
    at = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, at)[0]
    found: dict[int, int] = {}
    for entry in range(at + 2, at + 2 + 12 * min(count, _MOST_STEPS), 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in _TIFF_TAGS:
            found[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)[0]
    if data[8:10] == b"CR" or 50706 in found or (found.get(254, 0) & 1 and 330 in found):
        raise UnsupportedImage("Raw files of cameras are not read.")  # Pillow would read the thumbnail
    return found[256], found[257]


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    raise ValueError


_PNM = re.compile(rb"P[1-6](?:\s|#[^\n]{0,4096}\n){1,64}(\d{1,9})(?:\s|#[^\n]{0,4096}\n){1,64}(\d{1,9})\s")


def _pnm(data: bytes) -> tuple[int, int]:
    found = _PNM.match(data[: 1 << 16])
    if not found:
        raise ValueError
    return int(found[1]), int(found[2])


def _isobmff(data: bytes) -> tuple[int, int]:
    """HEIC and AVIF: the largest `ispe` (image spatial extent) among the item properties."""
    at = data.index(b"ispe", 16, 1 << 20)
    sizes = []
    for _ in range(_MOST_STEPS):
        sizes.append(struct.unpack_from(">II", data, at + 8))
        at = data.find(b"ispe", at + 16, 1 << 20)
        if at < 0:
            break
    return max(sizes, key=lambda size: size[0] * size[1])


def _brand(*brands: bytes) -> Callable[[bytes], bool]:
    return lambda data: data[4:8] == b"ftyp" and data[8:12] in brands


def _magic(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(starts)


_READERS: tuple[tuple[Callable[[bytes], bool], str, Callable[[bytes], tuple[int, int]]], ...] = (
    (_magic(b"\x89PNG\r\n\x1a\n"), "png", _png),
    (_magic(b"\xff\xd8\xff"), "jpeg", _jpeg),
    (_magic(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff", _tiff),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", "webp", _webp),
    (_magic(b"GIF87a", b"GIF89a"), "gif", _gif),
    (_brand(b"avif", b"avis"), "avif", _isobmff),
    (_brand(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "heic", _isobmff),
    (lambda data: re.match(rb"P[1-6][\s#]", data) is not None, "pnm", _pnm),
    (
        lambda data: data[:2] == b"BM" and len(data) > 14 and data[14] in (12, 40, 52, 56, 64, 108, 124),
        "bmp",
        _bmp,
    ),
)
