"""Turns a page upright, and the boxes of its words back onto the picture as it was sent."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

from model_server.reading.image import PageImage, picture
from service_kit import slant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service_kit.page import Word

_BAND_BYTES = 1 << 20


class Turn(NamedTuple):
    """How a picture as it was sent differs from the upright one: see `service_kit.page.Page`."""

    rotation: int = 0
    skew: float = 0.0


def turned(image: PageImage, turn: Turn, paper: int) -> PageImage:
    """The upright image, in which lines are level; `paper` is the level of its new corners.

    It needs the memory of the result and no more: the rows are made in bands.
    """
    if turn == Turn():
        return image
    place = _Place((image.width, image.height), turn)
    width, height = place.size
    step = max(1, _BAND_BYTES // width)
    smooth = Image.Resampling.BILINEAR if turn.skew else Image.Resampling.NEAREST
    source = picture(image)
    rows = io.BytesIO()
    for top in range(0, height, step):
        size = width, min(step, height - top)
        band = source.transform(size, Image.Transform.AFFINE, place.matrix(top), smooth, fillcolor=paper)
        rows.write(band.tobytes())
    return PageImage(rows.getvalue(), width, height, image.dpi)


def back(words: Sequence[Word], turn: Turn, sent: tuple[int, int]) -> list[Word]:
    """The words with their boxes on the picture as it was sent, of width and height `sent`."""
    if turn == Turn():
        return [*words]
    place = _Place(sent, turn)
    return [{**word, "bbox": place.back(word["bbox"])} for word in words]


class _Place:
    """The upright picture over the one as it was sent: both have the same centre."""

    def __init__(self, sent: tuple[int, int], turn: Turn) -> None:
        self._sent, self._turn = sent, turn
        width, height = sent[::-1] if turn.rotation % 180 else sent
        cosine, sine = _cosine_and_sine(abs(turn.skew))
        self.size = math.ceil(width * cosine + height * sine), math.ceil(height * cosine + width * sine)

    def matrix(self, top: int) -> tuple[float, float, float, float, float, float]:
        """As Pillow takes it: from a point of the upright picture, below the row `top`, to the other picture."""
        cosine, sine = _cosine_and_sine(self._turn.skew - self._turn.rotation)
        (x, y), (width, height) = self._sent, self.size
        right, down = -width / 2, top - height / 2
        return (
            *(cosine, -sine, x / 2 + cosine * right - sine * down),
            *(sine, cosine, y / 2 + sine * right + cosine * down),
        )

    def back(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        x0, y0, x1, y1 = box
        wide, high = slant.box_of(x1 - x0, y1 - y0, self._turn.skew)
        if self._turn.rotation % 180:
            wide, high = high, wide
        a, b, c, d, e, f = self.matrix(0)
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        left, right = _within(a * x + b * y + c, wide, self._sent[0])
        top, bottom = _within(d * x + e * y + f, high, self._sent[1])
        return left, top, right, bottom


def _within(middle: float, length: float, side: int) -> tuple[int, int]:
    """The part of it in the picture, at least one pixel."""
    start = min(max(0, round(middle - length / 2)), side - 1)
    return start, max(start + 1, min(side, round(middle + length / 2)))


def _cosine_and_sine(degrees: float) -> tuple[float, float]:
    """Exact for quarter turns."""
    if degrees % 90 == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(degrees // 90) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
