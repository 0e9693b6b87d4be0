"""Time limits of a request: its deadline, and a minimum transfer rate."""

from __future__ import annotations

import math
import time

from service_kit.errors import BadTimeout

TIMEOUT_HEADER = "x-request-timeout"


class Deadline:
    """A deadline on the monotonic clock, as the event loop uses it; `seconds` is the whole budget."""

    __slots__ = ("at", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.at = time.monotonic() + seconds

    def left(self) -> float:
        """Remaining seconds; never negative."""
        return max(0.0, self.at - time.monotonic())

    @classmethod
    def from_header(cls, value: str | None, longest: float) -> Deadline:
        """The budget that the client requested, at most `longest` seconds.

        Raises:
            BadTimeout: the value is not a positive finite number.
        """
        if value is None:
            return cls(longest)
        try:
            seconds = float(value)
        except ValueError:
            raise BadTimeout from None
        if not (math.isfinite(seconds) and seconds > 0):
            raise BadTimeout
        return cls(min(seconds, longest))


class LeastRate:
    """Remaining waiting time: starts at `idle_seconds`, which is also its maximum; transferred bytes extend it.

    A pause of `idle_seconds`, or an average rate below `kib_per_second`, uses it up.
    """

    __slots__ = ("_bytes_per_second", "_idle_seconds", "left")

    def __init__(self, idle_seconds: float, kib_per_second: float) -> None:
        self._idle_seconds = self.left = idle_seconds
        self._bytes_per_second = kib_per_second * 1024

    def waited(self, seconds: float, moved_bytes: int) -> None:
        self.left = min(self._idle_seconds, self.left - seconds + moved_bytes / self._bytes_per_second)
