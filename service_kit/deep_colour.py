"""Colours of 16 bits of which fewer are used: Pillow keeps the upper 8, so they would be nearly black.

The lower 8 bits are decoded by reading the file again as if its byte order were the other one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image, ImageChops

from service_kit import pixels

_OTHERS = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
_COLOURS = ("RGB", "RGBA", "RGBX")
_GREY_WITH_ALPHA = "LA;16B"  # its four bytes are read as RGBA
_UPPER = 8  # bits used besides the lower 8: all
_BITS = (0, 2, 4, 6, _UPPER)


def load(image: Image.Image, again: Callable[[], Image.Image]) -> None:
    """Load the image and scale its colours by the bits that they use; `again` opens the same image."""
    lower = _lower_bits(_raw_mode(image))
    image.load()
    if lower is None or image.mode not in _COLOURS:
        return
    ranges: list[Any] = [*image.getextrema()]
    highest = max(most for _, most in ranges[:3])
    used = next(bits for bits in _BITS if highest < 1 << bits)
    if used == _UPPER:
        return
    used_by = [used] * 3
    if len(ranges) > 3:
        used_by.append(used if ranges[3][1] < 1 << used else _UPPER)
    up = [min(255, value << _UPPER - bits) for bits in used_by for value in range(256)]
    down = [value >> bits for bits in used_by for value in range(256)]
    other = again()
    other.tile = [_with_raw_mode(tile, lower) for tile in other.tile]  # type: ignore[attr-defined]
    other.load()
    top = 0
    for high, low in zip(pixels.bands(image), _lower(other, lower), strict=True):
        image.paste(ImageChops.add(high.point(up), low.point(down)), (0, top))
        top += high.height
    other.close()


def _raw_mode(image: Image.Image) -> str:
    tiles: Any = getattr(image, "tile", None)
    if not tiles:
        return ""
    arguments = tiles[0][3]
    return str(arguments if isinstance(arguments, str) else arguments[0] if arguments else "")


def _lower_bits(raw: str) -> str | None:
    """The raw mode that gives the lower 8 bits of each value."""
    if raw == _GREY_WITH_ALPHA:
        return "RGBA"
    colours, _, order = raw.partition(";")
    return f"{colours};{_OTHERS[order]}" if colours in _COLOURS and order in _OTHERS else None


def _with_raw_mode(tile: Any, raw: str) -> Any:
    arguments = raw if isinstance(tile[3], str) else (raw, *tile[3][1:])
    return tile._replace(args=arguments)


def _lower(image: Image.Image, raw: str) -> Iterator[Image.Image]:
    for band in pixels.bands(image):
        if raw == "RGBA":
            _, grey, _, alpha = band.split()
            yield Image.merge("RGBA", (grey, grey, grey, alpha))
        else:
            yield band
