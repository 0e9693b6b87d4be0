"""The one clock of a request."""

from __future__ import annotations

import math
import time

from service_kit.errors import BadTimeout

TIMEOUT_HEADER = "x-request-timeout"


class Deadline:
    """A moment on the monotonic clock, which the event loop's own clock shares; `seconds` is the whole budget."""

    __slots__ = ("at", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that remain; never negative."""
        return max(0.0, self.at - time.monotonic())

    @classmethod
    def from_header(cls, value: str | None, longest: float) -> Deadline:
        """The budget that a client asked for, at most `longest` seconds.

        Raises:
            BadTimeout: the value is no positive finite number.
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
