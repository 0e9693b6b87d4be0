"""How long a page takes, learnt from those that went before."""

from __future__ import annotations

_FIRST_GUESS = 0.5  # seconds a megapixel, before anything was measured: a text page at 640x480
_SECONDS_PER_PAGE = 0.01  # what a page costs however small it is
_MEMORY = 0.9  # weight of the past in a running sum
_MOST_SURPRISE = 4.0  # times what was expected: as much as one page that never ended may teach


class _Rate:
    """A running ratio of sums, so that large pages weigh more than small ones."""

    __slots__ = ("_megapixels", "_seconds")

    def __init__(self, seconds: float, megapixels: float) -> None:
        self._seconds = seconds
        self._megapixels = megapixels

    def learn(self, seconds: float, megapixels: float) -> None:
        self._seconds = _MEMORY * self._seconds + seconds
        self._megapixels = _MEMORY * self._megapixels + megapixels

    def expected(self, megapixels: float) -> float:
        return self._seconds / self._megapixels * megapixels


class Pace:
    """Seconds a page, by its pixels.

    Each doubling of the size learns for itself: a megapixel of small labels takes three times as long as one of
    photographs. A size that was never seen takes the rate of all.
    """

    def __init__(self) -> None:
        self._all = _Rate(_FIRST_GUESS, 1.0)
        self._sizes: dict[int, _Rate] = {}

    def expected(self, pixels: int) -> float:
        rate = self._sizes.get(pixels.bit_length(), self._all)
        return _SECONDS_PER_PAGE + rate.expected(pixels / 1e6)

    def learn(self, pixels: int, seconds: float) -> None:
        work, megapixels = max(0.0, seconds - _SECONDS_PER_PAGE), pixels / 1e6
        self._all.learn(work, megapixels)
        size = pixels.bit_length()
        if size in self._sizes:
            self._sizes[size].learn(work, megapixels)
        else:
            self._sizes[size] = _Rate(work, megapixels)

    def learn_at_least(self, pixels: int, seconds: float) -> None:
        """From a page that was broken off after so long: it would have taken longer."""
        expected = self.expected(pixels)
        if seconds > expected:
            self.learn(pixels, min(seconds, _MOST_SURPRISE * expected))
