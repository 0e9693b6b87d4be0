"""Cuts a line out of a page, upright, as high as the recogniser wants it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from model_server.reading.engines.neural.regions import Rectangle

HEIGHT = 48  # pixels
_DOWNWARDS = 1.5  # of its width: a line that is higher is written downwards or upwards
_STRAIGHT = 0.15  # of its height: what a line may rise or fall and still be cut out without being turned


class Crop:
    """A line of text of `HEIGHT` pixels, and where its columns are on the page."""

    def __init__(self, page: Image.Image, line: Rectangle) -> None:
        self._line = line
        self.is_vertical = line.height > _DOWNWARDS * line.width
        cut = _cut(page, line)
        if self.is_vertical:
            cut = cut.transpose(Image.Transpose.ROTATE_90)
        width = max(1, round(cut.width * HEIGHT / cut.height))
        self.image = cut.resize((width, HEIGHT), Image.Resampling.BILINEAR, reducing_gap=2.0)

    def place(self, box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
        """The box on the page around a box (x0, y0, x1, y1) of `image`."""
        line = self._line
        x0, y0, x1, y1 = box
        if self.is_vertical:
            scale = line.width / HEIGHT
            left, top = y0 * scale - line.width / 2, line.height / 2 - x1 * scale
            right, bottom = y1 * scale - line.width / 2, line.height / 2 - x0 * scale
        else:
            scale = line.height / HEIGHT
            left, top = x0 * scale - line.width / 2, y0 * scale - line.height / 2
            right, bottom = x1 * scale - line.width / 2, y1 * scale - line.height / 2
        cosine, sine = math.cos(math.radians(line.angle)), math.sin(math.radians(line.angle))
        # The middle of the box moves with the line, and its size stays: boxes of neighbours must not overlap.
        x, y = (left + right) / 2, (top + bottom) / 2
        x, y = line.x + x * cosine - y * sine, line.y + x * sine + y * cosine
        half_width, half_height = (right - left) / 2, (bottom - top) / 2
        return (
            math.floor(x - half_width),
            math.floor(y - half_height),
            math.ceil(x + half_width),
            math.ceil(y + half_height),
        )


def _cut(page: Image.Image, line: Rectangle) -> Image.Image:
    width, height = max(1, round(line.width)), max(1, round(line.height))
    sine = math.sin(math.radians(line.angle))
    if abs(sine) * max(line.width, line.height) < _STRAIGHT * min(line.width, line.height):
        x0, y0 = round(line.x - width / 2), round(line.y - height / 2)
        if x0 >= 0 and y0 >= 0 and x0 + width <= page.width and y0 + height <= page.height:
            return page.crop((x0, y0, x0 + width, y0 + height))
    cosine = math.cos(math.radians(line.angle))
    left = line.x - width / 2 * cosine + height / 2 * sine
    top = line.y - width / 2 * sine - height / 2 * cosine
    return page.transform(
        (width, height),
        Image.Transform.AFFINE,
        (cosine, -sine, left, sine, cosine, top),
        Image.Resampling.BILINEAR,
        fillcolor=255,  # outside of the page
    )
