"""Previews: pages as JPEG, for people."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

_MOST_HEIGHT = 8000
_MOST_PIXELS = 6_000_000  # A4 at a width of 2000 has 5.7
_QUALITY = 80


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
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return Preview(image.width, image.height, stream.getvalue())
