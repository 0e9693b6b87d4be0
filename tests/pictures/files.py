"""Files that Pillow does not write: with other metadata, in other kinds of TIFF, with wrong numbers."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

SHORT, LONG = 3, 4
_SIGNATURE = 8  # bytes of a PNG


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(png: bytes, *chunks: bytes, behind_pixels: bool = False) -> bytes:
    """The PNG with more chunks, before its pixels or behind them."""
    at = png.index(b"IEND" if behind_pixels else b"IDAT") - 4
    return png[:at] + b"".join(chunks) + png[at:]


def jpeg_with(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """The JPEG with more segments (marker and data), before all others."""
    added = [bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data for marker, data in segments]
    return jpeg[:2] + b"".join(added) + jpeg[2:]


def tiff_with(tiff: bytes, *entries: bytes) -> bytes:
    """The little-endian TIFF of one page with more entries of 12 bytes in its directory."""
    (at,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, at)
    found = [tiff[entry : entry + 12] for entry in range(at + 2, at + 2 + 12 * count, 12)]
    every = sorted([*found, *entries], key=lambda entry: struct.unpack_from("<H", entry))
    padded = tiff + bytes(len(tiff) % 2)
    directory = struct.pack("<H", len(every)) + b"".join(every) + bytes(4)
    return padded[:4] + struct.pack("<I", len(padded)) + padded[8:] + directory


def tiff(pages: Sequence[tuple[bytes, Mapping[int, Sequence[int]]]], order: str = "<") -> bytes:
    """A TIFF of these pages: the pixels of one strip and the tags; tags 273 and 279 are added unless given."""
    pieces = [b"II*\0" if order == "<" else b"MM\0*", bytes(4)]
    pointer = 1  # the piece that takes the offset of the next directory
    at = 8
    for pixels, given in pages:
        pixels_at = at
        padded = pixels + bytes(len(pixels) % 2)
        tags = {273: [pixels_at], 279: [len(pixels)], **given}
        at += len(padded)
        behind = at + 2 + 12 * len(tags) + 4
        head, tail = [struct.pack(order + "H", len(tags))], b""
        for tag in sorted(tags):
            kind = LONG if tag in (273, 279) else SHORT
            value = struct.pack(f"{order}{len(tags[tag])}{'H' if kind == SHORT else 'I'}", *tags[tag])
            head.append(struct.pack(order + "HHI", tag, kind, len(tags[tag])))
            if len(value) <= 4:
                head.append(value.ljust(4, b"\0"))
            else:
                head.append(struct.pack(order + "I", behind + len(tail)))
                tail += value + bytes(len(value) % 2)
        pieces[pointer] = struct.pack(order + "I", at)
        pieces += [padded, *head, bytes(4), tail]
        pointer = len(pieces) - 2
        at = behind + len(tail)
    return b"".join(pieces)


def grey_tags(width: int, height: int, **others: Sequence[int]) -> dict[int, Sequence[int]]:
    """The tags of 8-bit grey; `others` by `t` and the number."""
    tags: dict[int, Sequence[int]] = {
        256: [width],
        257: [height],
        258: [8],
        259: [1],
        262: [1],
        277: [1],
        278: [height],
    }
    return tags | {int(name[1:]): value for name, value in others.items()}
