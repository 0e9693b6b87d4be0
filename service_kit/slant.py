"""Boxes of words on a page that lies on its side, upside down or askew; angles as in `service_kit.page.Page`."""

from __future__ import annotations

import math

Box = tuple[int, int, int, int]

_RISE = 0.5  # of what a word rises over its length: its ink is in two corners of the box around it


def direction(rotation: int, skew: float) -> float:
    """Of the writing, in degrees counterclockwise: 0 is to the right, 90 is up."""
    return rotation - skew


def box_of(length: float, height: float, skew: float) -> tuple[float, float]:
    """Width and height of the box of a slanting word.

    The box is as wide as the word, and higher than a level one by half of the word's rise, so that it does not
    cover the lines above and below.
    """
    cosine, sine = _cosine_and_sine(skew)
    return length * cosine + height * sine, height * cosine + length * sine * _RISE


def word_in(width: float, height: float, skew: float) -> tuple[float, float]:
    """Length and height of the word in such a box, at least 1."""
    cosine, sine = _cosine_and_sine(skew)
    whole = cosine * cosine - sine * sine * _RISE
    length, high = (width * cosine - height * sine) / whole, (height * cosine - width * sine * _RISE) / whole
    return max(1.0, length), max(1.0, high)


def upright(box: Box, sent: tuple[int, int], rotation: int) -> Box:
    """A box on the picture as it was sent, of this width and height, on the picture turned upright."""
    x0, y0, x1, y1 = box
    width, height = sent
    if rotation == 90:
        return height - y1, x0, height - y0, x1
    if rotation == 180:
        return width - x1, height - y1, width - x0, height - y0
    if rotation == 270:
        return y0, width - x1, y1, width - x0
    return box


def _cosine_and_sine(skew: float) -> tuple[float, float]:
    return math.cos(math.radians(skew)), math.sin(math.radians(abs(skew)))
