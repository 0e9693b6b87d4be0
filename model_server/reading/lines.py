"""Words of Tesseract and lines of the detector: which belong together."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from service_kit.page import letters_confidence
from service_kit.reading_order import PlacedWord

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from model_server.reading.engines.neural.regions import Rectangle
    from service_kit.page import Word

_ROWS = 1.2  # of a word's height: how far the middles of the words of a line may be apart
_LONG = 3.0  # times its height
_MARGIN = 0.35  # of a line's height: what its rectangle is wider than its letters, on both sides together


class ReadLine(NamedTuple):
    """A detected line with the words that lie on it, as places in the list of words."""

    rectangle: Rectangle
    words: list[int]

    def covered(self, words: Sequence[Word]) -> float:
        """The share of its length that words take, 0 to 1."""
        line = self.rectangle
        upright = line.width >= line.height
        length = max(line.width, line.height) - _MARGIN * min(line.width, line.height)
        first = 0 if upright else 1
        taken = sum(words[at]["bbox"][first + 2] - words[at]["bbox"][first] for at in self.words)
        return min(1.0, taken / max(1.0, length * math.cos(math.radians(line.angle))))

    def confidence(self, words: Sequence[Word]) -> float:
        """The mean over the letters of its words, 0 to 100; 0 without words."""
        return letters_confidence(words[at] for at in self.words)

    def placed(self, words: Sequence[Word], falls: float, without: Container[int]) -> Iterator[PlacedWord]:
        """Its words with the line's own size and baseline, except those in `without`."""
        line = self.rectangle
        for at in self.words:
            if at not in without:
                word = words[at]
                yield PlacedWord(
                    word["text"],
                    word["bbox"],
                    word["confidence"],
                    angle=-falls,
                    origin=line.baseline if line.is_level else None,
                    size=line.font if line.is_level else None,
                    engine="tesseract",
                )


def tilt(lines: Iterable[Rectangle]) -> float:
    """By how many degrees most lines fall to the right: the median of those long enough to show it.

    The error of an angle falls with the length, so each line has the square of its length as weight. If a page is
    slightly askew, the cells of a table seem level, and only a line of text shows by how much they are not.
    """
    found = sorted((line.angle, line.width**2) for line in lines if line.width > _LONG * line.height)
    sums = [*accumulate(weight for _, weight in found)]
    return found[bisect_left(sums, sums[-1] / 2)][0] if found else 0.0


def assign(words: Sequence[Word], rectangles: Sequence[Rectangle]) -> tuple[list[ReadLine], list[int]]:
    """The lines with their words, and the words that lie on no line. A word lies where its middle is.

    A rectangle around several rows of words is no line: print that is too small for the detector.
    """
    if not words or not rectangles:
        return [ReadLine(rectangle, []) for rectangle in rectangles], [*range(len(words))]
    boxes = np.array([word["bbox"] for word in words], dtype=np.float64)
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    heights = boxes[:, 3] - boxes[:, 1]
    nearest, best, place = np.full(len(words), -1), np.full(len(words), 1.0), np.zeros(len(words))
    for number, line in enumerate(rectangles):
        cosine, sine = math.cos(math.radians(line.angle)), math.sin(math.radians(line.angle))
        along = (x - line.x) * cosine + (y - line.y) * sine
        across = (y - line.y) * cosine - (x - line.x) * sine
        off = np.maximum(abs(along) / (line.width / 2), abs(across) / (line.height / 2))  # 1: on the edge
        nearer = off < best
        nearest[nearer], best[nearer], place[nearer] = number, off[nearer], across[nearer]
    lines = []
    for number, line in enumerate(rectangles):
        on_it = np.nonzero(nearest == number)[0]
        if line.is_level and len(on_it) and np.ptp(place[on_it]) > _ROWS * np.median(heights[on_it]):
            nearest[on_it] = -1
        else:
            lines.append(ReadLine(line, on_it.tolist()))
    return lines, np.nonzero(nearest < 0)[0].tolist()
