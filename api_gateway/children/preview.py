"""Previews: pages as JPEG, for people."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

_MOST_HEIGHT = 16_000  # some graphics cards show no more
_MOST_PIXELS = 6_000_000  # A4 at a width of 2000 has 5.7
_QUALITIES = (80, 50, 20)
_MOST_BYTES = 2_000_000  # else a lower quality: only noise has more


class Preview(NamedTuple):
    """A JPEG, and its size in pixels."""

    width: int
    height: int
    jpeg: bytes


def size_within(sides: tuple[float, float], width: int) -> tuple[int, int]:
    """The size of a preview of a page with these sides: `width`, or less if the page is very long."""
    across, down = sides
    scale = min(width / across, _MOST_HEIGHT / down, math.sqrt(_MOST_PIXELS / (across * down)))
    return max(1, round(across * scale)), max(1, round(down * scale))


def encoded(image: Image.Image) -> Preview:
    jpeg = b""
    for quality in _QUALITIES:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality)
        jpeg = stream.getvalue()
        if len(jpeg) <= _MOST_BYTES:
            break
    return Preview(image.width, image.height, jpeg)
