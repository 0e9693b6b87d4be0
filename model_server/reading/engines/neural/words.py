"""Words of the letters of a line, each with a box around its ink."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from model_server.reading.engines.neural.crops import HEIGHT
from model_server.reading.engines.neural.recogniser import STEP, ReadLetter

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_INK = 0.35  # of the line's contrast
_LEAST_CONTRAST = 24  # grey values
_AS_WIDE = 1.0  # of the line's usual space
_LEAST_SPACE = 5  # columns
_DOT = 4  # rows: between a letter and its dot or accent


class ReadWord(NamedTuple):
    """`confidence` is 0 to 100; `box` is x0, y0, x1, y1 in pixels of the crop."""

    text: str
    confidence: float
    box: tuple[float, float, float, float]


def words(letters: Sequence[ReadLetter], crop: Image.Image) -> list[ReadWord]:
    """The words of a line, from left to right."""
    if not letters:
        return []
    ink = _ink(np.asarray(crop))
    groups = _groups(letters, np.asarray(ink.any(axis=0)))
    if not groups:
        return []
    middles = [(one[-1].column + other[0].column) / 2 for one, other in pairwise(groups)]
    edges = [0.0, *middles, float(crop.width)]
    return [
        ReadWord(
            "".join(letter.text for letter in group),
            round(100 * sum(letter.probability for letter in group) / len(group), 2),
            _box(ink, group, edges[at], edges[at + 1]),
        )
        for at, group in enumerate(groups)
    ]


def _groups(letters: Sequence[ReadLetter], ink: NDArray[np.bool_]) -> list[list[ReadLetter]]:
    """Letters between spaces, and between gaps as wide as the line's spaces, which the model missed."""
    spaces = [
        _gap(ink, one, other)
        for one, space, other in zip(letters, letters[1:], letters[2:], strict=False)
        if space.text.isspace()
    ]
    least = _AS_WIDE * float(np.median(spaces)) if spaces else math.inf
    groups: list[list[ReadLetter]] = [[]]
    before: ReadLetter | None = None
    for letter in letters:
        if letter.text.isspace():
            groups.append([])
            before = None
            continue
        if before is not None and _gap(ink, before, letter) > max(least, _LEAST_SPACE):
            groups.append([])
        groups[-1].append(letter)
        before = letter
    return [group for group in groups if group]


def _gap(ink: NDArray[np.bool_], one: ReadLetter, other: ReadLetter) -> int:
    """The most columns without ink that follow each other between two letters."""
    inked = np.nonzero(ink[int(one.column) : int(other.column) + 1])[0]
    edges = np.concatenate(([-1], inked, [int(other.column) - int(one.column) + 1]))
    return int(np.diff(edges).max()) - 1


def _ink(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the crop differs from its ground, which most of its pixels show."""
    difference = np.abs(pixels.astype(np.int16) - int(np.median(pixels)))
    return difference > max(_LEAST_CONTRAST, _INK * float(np.percentile(difference, 98)))


def _box(
    ink: NDArray[np.bool_], group: Sequence[ReadLetter], left: float, right: float
) -> tuple[float, float, float, float]:
    """Around the ink between two columns; around the letters' own columns if there is none."""
    start, end = int(left), max(int(left) + 1, round(right))
    part = ink[:, start:end]
    columns = np.nonzero(part.any(axis=0))[0]
    if not len(columns):
        return (
            max(0.0, group[0].column - STEP),
            0.0,
            min(float(ink.shape[1]), group[-1].column + STEP),
            float(HEIGHT),
        )
    top, bottom = _rows(np.asarray(part.any(axis=1)))
    return float(start + columns[0]), float(top), float(start + columns[-1] + 1), float(bottom)


def _rows(inked: NDArray[np.bool_]) -> tuple[int, int]:
    """From the middle up and down, as far as there is ink: a neighbouring line's ink is beyond a gap."""
    rows = np.nonzero(inked)[0].tolist()
    middle = min(range(len(rows)), key=lambda at: abs(rows[at] - HEIGHT // 2))
    first = last = middle
    while first and rows[first] - rows[first - 1] <= _DOT:
        first -= 1
    while last < len(rows) - 1 and rows[last + 1] - rows[last] <= _DOT:
        last += 1
    return rows[first], rows[last] + 1
