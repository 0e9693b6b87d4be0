"""Long pictures in parts: at the size at which the detector sees a whole strip, its print would be too small."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from model_server.reading.engines.neural.regions import Rectangle

_LONG = 2.5  # times as long as wide
_SMALL = 900  # pixels; a strip that is not longer is seen at its own size
_PART = 2.0  # the length of a part, in widths
_SHARED = 0.3  # widths that two parts share: more than the height of a line


class Tile(NamedTuple):
    """A part of a page: `start` to `end` along `axis` (0: x), of which `first` to `last` is its own."""

    axis: int
    start: int
    end: int
    first: float
    last: float
    across: int
    is_all: bool = False

    @property
    def box(self) -> tuple[int, int, int, int]:
        return (self.start, 0, self.end, self.across) if self.axis == 0 else (0, self.start, self.across, self.end)

    def own(self, lines: Iterable[Rectangle]) -> Iterator[Rectangle]:
        """The lines of the tile itself, in pixels of the page. One that lies across a cut is cut: see `joined`."""
        for line in lines:
            if self.is_all:
                yield line
            elif self.axis:
                y = line.y + self.start
                if self.first <= y < self.last:
                    yield line._replace(y=y)
            else:
                x = line.x + self.start
                left, right = max(self.first, x - line.width / 2), min(self.last, x + line.width / 2)
                if right - left > line.height / 2:
                    yield line._replace(x=(left + right) / 2, width=right - left)


def tiles(width: int, height: int) -> Iterator[Tile]:
    """The whole page, or parts of it that overlap."""
    axis = 0 if width > height else 1
    across, length = sorted((width, height))
    if length <= max(_LONG * across, _SMALL):
        yield Tile(axis, 0, length, 0, length, across, is_all=True)
        return
    shared = int(_SHARED * across) + 1
    count = -(-length // int(_PART * across + 1))
    step = length / count
    for number in range(count):
        first, last = number * step, (number + 1) * step
        yield Tile(axis, max(0, int(first) - shared), min(length, int(last) + shared), first, last, across)


def joined(lines: Iterable[Rectangle], cuts: Iterable[float]) -> list[Rectangle]:
    """The lines with the parts of each line that was cut put together; `cuts` from left to right."""
    found = [*lines]
    for cut in cuts:
        ends = [line for line in found if abs(line.x + line.width / 2 - cut) < 1]
        starts = [line for line in found if abs(line.x - line.width / 2 - cut) < 1]
        for left in ends:
            near = [line for line in starts if abs(line.y - left.y) < min(line.height, left.height) / 2]
            if near:
                right = min(near, key=lambda line: abs(line.y - left.y))
                starts.remove(right)
                found = [line for line in found if line is not left and line is not right]
                found.append(_together(left, right))
    return found


def _together(left: Rectangle, right: Rectangle) -> Rectangle:
    start, end = left.x - left.width / 2, right.x + right.width / 2
    top = min(left.y - left.height / 2, right.y - right.height / 2)
    bottom = max(left.y + left.height / 2, right.y + right.height / 2)
    return left._replace(
        x=(start + end) / 2, y=(top + bottom) / 2, width=end - start, height=bottom - top, angle=0.0
    )
