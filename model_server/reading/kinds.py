"""Whether a file that Pillow refuses is of a kind that it cannot decode, rather than damaged."""

from __future__ import annotations

import io
import struct
import warnings

from PIL import Image
from PIL.TiffImagePlugin import COMPRESSION_INFO

_CANNOT = (
    "nsupported", "not supported", "cannot handle", "unknown pixel mode", "unknown data organization",
    "unknown raw mode",
)  # fmt: skip
_COMPRESSION = 259
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_DECODED = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, with Huffman coding
_JPEG_BARE = {0x01, *range(0xD0, 0xD9), 0xFF}
_JPEG_COMPONENTS = (1, 3, 4)


def is_undecodable(data: bytes, name: str, error: Exception) -> bool:
    """`name` is Pillow's name of the format, `error` is what reading the file raised."""
    if "truncated" in str(error):
        return False
    if name == "JPEG":
        return _is_unusual_jpeg(data)
    return any(part in f"{error} {_why_not_opened(data, name)}" for part in _CANNOT)


def _why_not_opened(data: bytes, name: str) -> str:
    """`Image.open` does not pass on what a plug-in says."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.OPEN[name][0](io.BytesIO(data), "").close()
    except Exception as error:  # noqa: BLE001 - plug-ins raise any exception
        if name == "TIFF" and isinstance(error.__cause__ or error, KeyError) and _has_unknown_compression(data):
            return "unsupported compression"
        return str(error)
    return ""


def _has_unknown_compression(data: bytes) -> bool:
    order = "<" if data[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, _kind, _count, value = struct.unpack_from(order + "HHIH", data, entry)
            if tag == _COMPRESSION:
                return value not in COMPRESSION_INFO
    except struct.error:
        pass
    return False


def _is_unusual_jpeg(data: bytes) -> bool:
    """Its coding, its precision or its number of components is not that of usual JPEGs."""
    at = 2
    try:
        while True:
            at = data.index(b"\xff", at) + 1
            marker = data[at]
            if marker in _JPEG_BARE:
                continue
            if marker in _JPEG_FRAMES:
                precision, components = data[at + 3], data[at + 8]
                return marker not in _JPEG_DECODED or precision != 8 or components not in _JPEG_COMPONENTS
            at += 1 + struct.unpack_from(">H", data, at + 1)[0]
    except (IndexError, ValueError, struct.error):
        return False
