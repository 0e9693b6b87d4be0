"""Finds the lines of text on a page: PP-OCRv6's detector gives a probability of text for each pixel (DB)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from model_server.reading.engines.neural.regions import Rectangle, Region, rectangle, regions
from model_server.reading.engines.neural.tiles import joined, tiles
from model_server.reading.imagenet import planes
from model_server.reading.model_files import DETECTOR, checked
from model_server.reading.openvino_cpu import Compiled, load

if TYPE_CHECKING:
    from numpy.typing import NDArray

FINE = 960 * 704  # pixels of the picture that the model sees: more finds smaller print and takes longer
COARSE = 480 * 352  # enough to see where lines are, not to cut them out
_LEAST_SIDE = 32
_STEP = 32  # sides are multiples of it
_TEXT = 0.3  # probability of a pixel of text
_LINE = 0.5  # mean probability of a line's pixels
_GROWN = 1.6  # the map marks the middle of the letters: a line is area x this / perimeter larger on each side
_LEAST_HEIGHT = 3.0  # pixels of the map
_MOST_LINES = 2000  # a page of noise must not take minutes


class Detector:
    def __init__(self) -> None:
        self._model = Compiled(load(checked(DETECTOR)))

    def lines(self, page: Image.Image, most_pixels: int = FINE) -> list[Rectangle]:
        """Rectangles around the lines of an 8-bit grey page, in its pixels."""
        found: list[Rectangle] = []
        parts = [*tiles(page.width, page.height)]
        for tile in parts:
            found += tile.own(self._in(page if tile.is_all else page.crop(tile.box), most_pixels))
        return joined(found, [tile.last for tile in parts[:-1] if tile.axis == 0])

    def _in(self, page: Image.Image, most_pixels: int) -> list[Rectangle]:
        width, height = _size(page.width, page.height, most_pixels)
        across, down = page.width / width, page.height / height
        shown = page.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.5)
        probabilities = self._model(planes(shown))[0, 0]
        found: list[Rectangle] = []
        for region in regions(probabilities > _TEXT):
            if len(found) == _MOST_LINES:
                break
            if len(region.rows) >= _LEAST_HEIGHT and _mean(probabilities, region) > _LINE:
                line = _grown(rectangle(region))
                if min(line.width, line.height) >= _LEAST_HEIGHT:
                    found.append(_scaled(line, across, down))
        return found


def _size(width: int, height: int, most_pixels: int) -> tuple[int, int]:
    """The size at which the model sees a page: not enlarged, and with its proportions as far as steps allow."""
    scale = min(1.0, math.sqrt(most_pixels / (width * height)))
    return _rounded(width * scale), _rounded(height * scale)


def _rounded(side: float) -> int:
    return max(_LEAST_SIDE, round(side / _STEP) * _STEP)


def _mean(probabilities: NDArray[np.float32], region: Region) -> float:
    parts = [
        probabilities[row, start:end]
        for row, start, end in zip(region.rows, region.starts, region.ends, strict=True)
    ]
    return float(np.concatenate(parts).mean())


def _grown(line: Rectangle) -> Rectangle:
    more = line.width * line.height * _GROWN / (line.width + line.height)  # both sides together
    return line._replace(width=line.width + more, height=line.height + more)


def _scaled(line: Rectangle, across: float, down: float) -> Rectangle:
    """In the page's pixels; `across` and `down` differ by the rounding of the sides alone."""
    return Rectangle(line.x * across, line.y * down, line.width * across, line.height * down, line.angle)
