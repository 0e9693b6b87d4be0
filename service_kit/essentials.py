"""A picture without the metadata that its pixels, its orientation and its resolution do not need.

Pillow refuses a picture whose texts, profiles or EXIF are damaged or large. What is refused is tried again without
them. Pixels are not looked at.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_PNG_HEAD = 8
_PNG_COLOUR_TYPE = 25  # its place
_PNG_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")  # of an animation, its first picture
_PNG_ONCE = {b"tRNS": 1, b"pHYs": 9, b"eXIf": 4}  # least size
_TRANSPARENT_SIZES = {0: 2, 2: 6}  # of tRNS, by the colour type
_PNG_TEXTS = (b"zTXt", b"tEXt", b"iTXt")
_ORIENTING = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # texts that may have the orientation
_LONGEST_CHUNK = 1 << 20  # bytes, packed or unpacked; Pillow's limit for a text
_JPEG_SCAN, _JPEG_APP, _JPEG_COMMENT = 0xDA, range(0xE0, 0xF0), 0xFE
_JPEG_KEPT = {0xE0: (b"JFIF\0", 14), 0xE1: (b"Exif\0\0", 14), 0xEE: (b"Adobe", 12)}  # beginning, least size
_TIFF_KEPT = frozenset({
    254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 283, 284, 292, 293, 296, 317, 320, 322, 323,
    324, 325, 332, 338, 339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532,
})  # fmt: skip
_MOST_TAGS = 4096


def essentials(data: bytes, name: str) -> bytes | None:
    """The file without other metadata; None unless `name` is png, jpeg or tiff, and if its shape is damaged."""
    parts = {"png": _png, "jpeg": _jpeg, "tiff": _tiff}.get(name)
    if parts is None:
        return None
    try:
        return b"".join(parts(memoryview(data)))
    except (struct.error, IndexError, ValueError):
        return None


def _png(data: memoryview) -> Iterator[memoryview]:
    yield data[:_PNG_HEAD]
    at = _PNG_HEAD
    once = set()
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, end = bytes(data[at + 4 : at + 8]), at + 12 + size
        chunk = data[at:end]
        if kind in _PNG_PIXELS:
            yield chunk
        elif kind == b"tRNS" and size < _TRANSPARENT_SIZES.get(data[_PNG_COLOUR_TYPE], 0):
            pass
        elif kind not in once and len(chunk) <= _LONGEST_CHUNK and _is_needed(kind, chunk):
            once.add(kind)
            yield chunk
        if kind == b"IEND":
            return
        at = end


def _is_needed(kind: bytes, chunk: memoryview) -> bool:
    if len(chunk) < 12 or zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
        return False
    if kind in _PNG_ONCE:
        return len(chunk) - 12 >= _PNG_ONCE[kind]
    return kind in _PNG_TEXTS and _orients(kind, bytes(chunk[8:-4]))


def _orients(kind: bytes, text: bytes) -> bool:
    """Whether it is a text that may tell the orientation, and small when unpacked."""
    if not text.startswith(_ORIENTING):
        return False
    if kind == b"tEXt" or (kind == b"iTXt" and text[text.index(b"\0") + 1] == 0):
        return True
    at = text.index(b"\0") + 2
    if kind == b"iTXt":
        at = text.index(b"\0", text.index(b"\0", at + 1) + 1) + 1
    try:
        unpacker = zlib.decompressobj()
        unpacker.decompress(text[at:], _LONGEST_CHUNK)
    except zlib.error:
        return False
    return not unpacker.unconsumed_tail


def _jpeg(data: memoryview) -> Iterator[memoryview]:
    yield data[:2]
    at = 2
    once = set()
    while data[at + 1] != _JPEG_SCAN:
        if data[at] != 0xFF:
            raise ValueError
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        (size,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at : at + 2 + size]
        if marker in _JPEG_KEPT:
            start, least = _JPEG_KEPT[marker]
            if marker not in once and bytes(segment[4 : 4 + len(start)]) == start and size >= least:
                once.add(marker)
                yield segment
        elif marker not in _JPEG_APP and marker != _JPEG_COMMENT:
            yield segment
        at += 2 + size
    yield data[at:]


def _tiff(data: memoryview) -> Iterator[memoryview | bytes]:
    """The file with a shorter first directory at its end; the offsets in its entries stay true."""
    order = "<" if bytes(data[:2]) == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    if count > _MOST_TAGS:
        raise ValueError
    kept = [
        data[entry : entry + 12]
        for entry in range(at + 2, at + 2 + 12 * count, 12)
        if struct.unpack_from(order + "H", data, entry)[0] in _TIFF_KEPT
    ]
    (following,) = struct.unpack_from(order + "I", data, at + 2 + 12 * count)
    padding = len(data) % 2
    yield data[:4]
    yield struct.pack(order + "I", len(data) + padding)
    yield data[8:]
    yield bytes(padding)
    yield struct.pack(order + "H", len(kept))
    yield from kept
    yield struct.pack(order + "I", following)
