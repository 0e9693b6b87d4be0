"""Netpbm's plain formats (P1, P2, P3), which Pillow reads and does not write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

_MAGIC = {"1": b"P1", "L": b"P2", "RGB": b"P3"}
_PER_LINE = 16  # of at most three digits and a space: under the 70 characters that the format allows in a line


def plain(image: Image.Image) -> bytes:
    """An image of mode 1, L or RGB as decimal numbers."""
    head = b"%s\n%d %d\n" % (_MAGIC[image.mode], *image.size)
    if image.mode == "1":
        numbers = (~np.asarray(image)).astype(np.uint8).ravel().tolist()  # here, 1 is black
    else:
        head += b"255\n"
        numbers = np.asarray(image).ravel().tolist()
    lines = (" ".join(map(str, numbers[at : at + _PER_LINE])) for at in range(0, len(numbers), _PER_LINE))
    return head + "\n".join(lines).encode() + b"\n"
