"""How long a page takes, learned from earlier pages."""

from __future__ import annotations

import math

_FIRST_GUESS = 0.5  # seconds of a page of one megapixel, before anything was measured
_SECONDS_PER_PAGE = 0.01  # what a page costs however small it is
_SMALL_MEGAPIXELS = 0.02  # pages below take their time for other things than their pixels
_MEMORY = 0.9  # weight of the past in a running sum
_MOST_SURPRISE = 4.0  # times what was expected: as much as one page that never ended may teach


class _Rate:
    """Running sums over pages: in a ratio of them, large pages weigh more than small ones."""

    __slots__ = ("_megapixels", "_pages", "_seconds")

    def __init__(self, seconds: float, megapixels: float) -> None:
        self._seconds = seconds
        self._megapixels = megapixels
        self._pages = 1.0

    def learn(self, seconds: float, megapixels: float) -> None:
        self._seconds = _MEMORY * self._seconds + seconds
        self._megapixels = _MEMORY * self._megapixels + megapixels
        self._pages = _MEMORY * self._pages + 1

    def expected(self, megapixels: float) -> float:
        return self._seconds / self._megapixels * megapixels

    def extrapolated(self, megapixels: float) -> float:
        """For a page of a size that was never seen: twice the pixels rarely have twice the text."""
        seen = max(self._megapixels / self._pages, _SMALL_MEGAPIXELS)
        return self.mean() * math.sqrt(megapixels / seen)

    def mean(self) -> float:
        return self._seconds / self._pages


class Pace:
    """Seconds a page, by its pixels.

    Each doubling of the size is a class that learns for itself: a megapixel of small labels takes three times as
    long as one of photographs. For a class that was never seen, the nearest one that was is extrapolated.
    """

    def __init__(self) -> None:
        self._all = _Rate(_FIRST_GUESS, 1.0)
        self._classes: dict[int, _Rate] = {}

    @property
    def typical(self) -> float:
        """Seconds of a page, whatever its size."""
        return _SECONDS_PER_PAGE + self._all.mean()

    def knows(self, pixels: int) -> bool:
        return size_class(pixels) in self._classes

    def expected(self, pixels: int) -> float:
        size, megapixels = size_class(pixels), pixels / 1e6
        if size in self._classes:
            return _SECONDS_PER_PAGE + self._classes[size].expected(megapixels)
        nearest = min(self._classes, key=lambda seen: abs(seen - size), default=None)
        rate = self._all if nearest is None else self._classes[nearest]
        return _SECONDS_PER_PAGE + rate.extrapolated(megapixels)

    def learn(self, pixels: int, seconds: float) -> None:
        work, megapixels = max(0.0, seconds - _SECONDS_PER_PAGE), pixels / 1e6
        self._all.learn(work, megapixels)
        size = size_class(pixels)
        if size in self._classes:
            self._classes[size].learn(work, megapixels)
        else:
            self._classes[size] = _Rate(work, megapixels)

    def learn_at_least(self, pixels: int, seconds: float) -> None:
        """From a page that was broken off after so long: it would have taken longer."""
        expected = self.expected(pixels)
        if seconds > expected:
            self.learn(pixels, min(seconds, _MOST_SURPRISE * expected))


def size_class(pixels: int) -> int:
    return pixels.bit_length()
