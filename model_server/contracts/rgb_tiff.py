"""RGB pixels as an uncompressed TIFF: a head of a fixed size, then the pixels themselves, which are not copied."""

from __future__ import annotations

import struct

_SHORT, _LONG = 3, 4
_TAGS = 9
_BITS_AT = 8 + 2 + 12 * _TAGS + 4
HEAD_BYTES = _BITS_AT + 6


def head(width: int, height: int) -> bytes:
    """What stands in front of `3 * width * height` bytes. The resolution is not given."""
    tags = (
        (256, _LONG, 1, width),
        (257, _LONG, 1, height),
        (258, _SHORT, 3, _BITS_AT),  # bits per sample
        (259, _SHORT, 1, 1),  # not compressed
        (262, _SHORT, 1, 2),  # RGB
        (273, _LONG, 1, HEAD_BYTES),  # where the only strip begins
        (277, _SHORT, 1, 3),  # samples per pixel
        (278, _LONG, 1, height),  # rows of the strip
        (279, _LONG, 1, 3 * width * height),  # its bytes
    )
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, _TAGS) + directory + struct.pack("<I3H", 0, 8, 8, 8)
