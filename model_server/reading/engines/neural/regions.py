"""Connected regions of a bitmap, and the smallest rectangle around each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_FONT, _BASE = 0.75, 0.25  # of the height of a line's rectangle


class Rectangle(NamedTuple):
    """Centre, size and direction. `angle` is that of `width`, in degrees clockwise on the page, -45 to 45."""

    x: float
    y: float
    width: float
    height: float
    angle: float

    @property
    def is_level(self) -> bool:
        """Whether its text runs along its width. A single letter is higher than wide, too."""
        return self.width > self.height / 2

    @property
    def font(self) -> float:
        """The size of the font of a level line: its height without the margin around the letters."""
        return _FONT * self.height

    @property
    def baseline(self) -> tuple[float, float]:
        """A point of the baseline of a level line."""
        return self.x, self.y + _BASE * self.height


class Region(NamedTuple):
    """Runs of set pixels: `rows`, `starts` and `ends` (exclusive) are arrays of one length."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def regions(bitmap: NDArray[np.bool_]) -> Iterator[Region]:
    """The regions of a bitmap (rows, columns), whose pixels touch each other at a side or a corner."""
    steps = np.diff(np.pad(bitmap, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    if not len(rows):
        return
    labels = _labels(rows, starts, ends, bitmap.shape[1])
    order = np.argsort(labels, kind="stable")
    for part in np.split(order, np.nonzero(np.diff(labels[order]))[0] + 1):
        yield Region(rows[part], starts[part], ends[part])


def _labels(
    rows: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64], width: int
) -> NDArray[np.int64]:
    """A number for each run, the same for runs that touch, directly or by others."""
    stride = width + 2
    below = (rows + 1) * stride
    first = np.searchsorted(rows * stride + ends, below + starts)
    last = np.searchsorted(rows * stride + starts, below + ends, side="right")
    parents = list(range(len(rows)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = run = parents[parents[run]]
        return run

    for run, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        for other in range(low, high):
            parents[root(other)] = root(run)
    return np.array([root(run) for run in range(len(parents))])


def rectangle(region: Region) -> Rectangle:
    """The rectangle of least area around the region."""
    points = _corners(region)
    edges = np.diff(np.vstack([points, points[:1]]), axis=0)
    angles = np.unique(np.arctan2(edges[:, 1], edges[:, 0]) % (math.pi / 2))
    cosines, sines = np.cos(angles), np.sin(angles)
    along = points @ np.stack([cosines, sines])  # one column per angle
    across = points @ np.stack([-sines, cosines])
    low, high = along.min(axis=0), along.max(axis=0)
    top, bottom = across.min(axis=0), across.max(axis=0)
    best = int(np.argmin((high - low) * (bottom - top)))
    x, y = (low[best] + high[best]) / 2, (top[best] + bottom[best]) / 2
    cosine, sine = cosines[best], sines[best]
    return _towards_right(
        Rectangle(
            float(x * cosine - y * sine),
            float(x * sine + y * cosine),
            float(high[best] - low[best]),
            float(bottom[best] - top[best]),
            math.degrees(angles[best]),
        )
    )


def _towards_right(found: Rectangle) -> Rectangle:
    if found.angle <= 45:
        return found
    return Rectangle(found.x, found.y, found.height, found.width, found.angle - 90)


def _corners(region: Region) -> NDArray[np.float64]:
    """The convex hull of the region's pixels, whose corners count, as an array (points, 2)."""
    left = {(start, row + side) for row, start in _pairs(region.rows, region.starts) for side in (0, 1)}
    right = {(end, row + side) for row, end in _pairs(region.rows, region.ends) for side in (0, 1)}
    points = sorted(left | right)
    hull: list[tuple[int, int]] = []
    for sequence in (points, points[::-1]):
        hull += _half(sequence)[:-1]
    return np.array(hull, dtype=np.float64)


def _pairs(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    return zip(rows.tolist(), columns.tolist(), strict=True)


def _half(points: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """One half of the convex hull of sorted points (Andrew's monotone chain)."""
    hull: list[tuple[int, int]] = []
    for x, y in points:
        while len(hull) > 1:
            (x0, y0), (x1, y1) = hull[-2:]
            if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                break
            hull.pop()
        hull.append((x, y))
    return hull
