"""Input of an engine."""

from __future__ import annotations

from typing import NamedTuple

from PIL import Image


class PageImage(NamedTuple):
    """8-bit grey, top row first, no padding; `dpi` is 0 if the file does not give it."""

    pixels: bytes
    width: int
    height: int
    dpi: int


def picture(image: PageImage) -> Image.Image:
    """The same pixels for Pillow, not copied."""
    return Image.frombuffer("L", (image.width, image.height), image.pixels, "raw", "L", 0, 1)
