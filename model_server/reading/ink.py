"""Where a page has ink: whether words explain all of it, and where the page can be cut between lines.

A page is looked at in square blocks. A block has ink if its pixels differ from each other more than paper does, so
print of any colour on any plain ground counts. This takes a few milliseconds; the detector takes 60 and more.
"""

from __future__ import annotations

import math
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from model_server.reading.engines.neural.regions import Region, regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from model_server.reading.image import PageImage
    from service_kit.page import Word

_BLOCKS = 250_000  # of a page, about
_SMALLEST = 2  # pixels of a block's side
_SMOOTH = 6.0  # grey levels within a block of paper; more is noise, and hides faint print
_CONTRAST = 16.0  # grey levels more than paper has
_AROUND = 0.35  # of a word's height: accents, commas and lines under it, which its box may leave out
_LOW = 0.4  # of the words' height: what is lower is a line, a dot or a speck
_SMALL = 3  # blocks: ink of this height may be text however high the words are; a thin line has two at most
_THIN = 0.15  # of the words' height: what is narrower is a line, and so is what is tall and less wide than `_LOW`
_EMPTY = 0.2  # of a rectangle: what fills less is a frame or a grid of lines
_TALL = 2.5  # times the usual line: a rule, a picture, a table with rules, or columns with lines at other heights
_GUTTER = 2.5  # times the height of the usual line: a wider gap within a line separates columns
_NEAR = 5  # lines
_PARAGRAPH = 1.5  # times the usual gap between lines
_UNEQUAL = 0.35  # of a part: by how much it may be too large
_LINE = 24.0  # pixels: the height of words on a page that has none


class _InkLine(NamedTuple):
    """Rows of blocks with ink between rows without, and the runs of columns with ink."""

    top: int
    bottom: int
    words: list[tuple[int, int]]

    @property
    def widest_gap(self) -> int:
        return max((right[0] - left[1] for left, right in pairwise(self.words)), default=0)


class Ink:
    def __init__(self, image: PageImage) -> None:
        self._side = max(_SMALLEST, round(math.sqrt(image.width * image.height / _BLOCKS)))
        contrast = _contrast(image, self._side)
        paper = float(np.median(contrast)) if contrast.size else 0.0
        self.is_plain = paper <= _SMOOTH
        self._blocks = contrast > paper + _CONTRAST

    def is_all_in(self, words: Sequence[Word]) -> bool:
        """Whether all ink that may be text lies in the words' boxes. Never so on a page that is not plain."""
        if not self.is_plain:
            return False
        rest = self._blocks.copy()
        for word in words:
            x0, y0, x1, y1 = word["bbox"]
            margin = _AROUND * (y1 - y0)
            left, top = (max(0, math.floor((at - margin) / self._side)) for at in (x0, y0))
            right, bottom = (math.ceil((at + margin) / self._side) for at in (x1, y1))
            rest[top:bottom, left:right] = False
        height = float(np.median([word["bbox"][3] - word["bbox"][1] for word in words])) if words else _LINE
        return not any(self._may_be_text(region, height) for region in regions(rest))

    def cuts(self, parts: int) -> list[int]:
        """Rows of pixels that cut the page into about equal parts, each between two paragraphs; else none.

        A page with columns, pictures or tables must be read as a whole: each part would have a part of them.
        """
        lines = [
            _InkLine(top, bottom, _runs(self._blocks[top:bottom].any(axis=0))) for top, bottom in self._rows()
        ]
        if not self.is_plain or len(lines) < 2 * parts:
            return []
        height = float(np.median([line.bottom - line.top for line in lines]))
        if any(line.bottom - line.top > _TALL * height or line.widest_gap > _GUTTER * height for line in lines):
            return []
        gaps = np.array([below.top - above.bottom for above, below in pairwise(lines)])
        may_cut = (gaps > _PARAGRAPH * np.median(gaps)) & ~self._are_near_the_right(lines)
        ink = np.cumsum([self._blocks[line.top : line.bottom].sum() for line in lines])
        found = []
        for number in range(1, parts):
            off = np.where(may_cut, abs(ink[:-1] / ink[-1] - number / parts), 1.0)
            best = int(off.argmin())
            if off[best] > _UNEQUAL / parts:
                return []
            found.append((lines[best].bottom + lines[best + 1].top) * self._side // 2)
        return found

    def _rows(self) -> list[tuple[int, int]]:
        return _runs(self._blocks.any(axis=1))

    def _are_near_the_right(self, lines: Sequence[_InkLine]) -> NDArray[np.bool_]:
        """For each gap: whether lines near it begin in the right half, as a date does. They may be a column."""
        right = [line.words[0][0] > self._blocks.shape[1] / 2 for line in lines]
        near = np.convolve(right, np.ones(_NEAR))[_NEAR // 2 :]  # mode "same" gives five values for fewer lines
        return near[1 : len(lines)] > 0

    def _may_be_text(self, region: Region, word_height: float) -> bool:
        rows = int(region.rows[-1] - region.rows[0]) + 1
        columns = int(region.ends.max() - region.starts.min())
        filled = int((region.ends - region.starts).sum())
        height, width = rows * self._side, columns * self._side
        # A letter may be narrow, or tall, but not both.
        narrowest = _THIN if height <= _TALL * word_height else _LOW
        lowest = min(_LOW * word_height, _SMALL * self._side)
        return height >= lowest and width >= narrowest * word_height and filled >= _EMPTY * rows * columns


def _runs(inked: NDArray[np.bool_] | np.bool_) -> list[tuple[int, int]]:
    """First and end of each run of rows, or columns, with ink."""
    steps = np.diff(np.pad(inked, 1).astype(np.int8))
    return [*zip(np.nonzero(steps == 1)[0].tolist(), np.nonzero(steps == -1)[0].tolist(), strict=True)]


def _contrast(image: PageImage, side: int) -> NDArray[np.uint8]:
    """The difference of the lightest and the darkest pixel of each block; a rest at the edges is left out."""
    rows, columns = image.height // side, image.width // side
    pixels = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width)
    lines = pixels[: rows * side, : columns * side].reshape(rows, side, columns * side)
    lightest, darkest = lines.max(axis=1), lines.min(axis=1)
    return reduce(np.maximum, _columns(lightest, side)) - reduce(np.minimum, _columns(darkest, side))


def _columns(rows: NDArray[np.uint8], side: int) -> list[NDArray[np.uint8]]:
    """Every `side`-th column, from each start: much faster than the extremes of an axis with few elements."""
    return [rows[:, first::side] for first in range(side)]
