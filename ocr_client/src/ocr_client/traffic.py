"""When a request is repeated, and how many run at once. Nothing here waits or sends: the clients do."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from ocr_client.errors import OcrError, Refused, ServerGone, TooSlow

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 5.0
_MOST_BROKEN = 2  # repeats of one request whose outcome is unknown
_FIRST_AT_ONCE = 4
_BUSY = 8  # answers that take this many times the shortest one show that requests wait for each other
_BUSY_SECONDS = 1.0  # shorter answers never do

_jitter = Random().random  # noqa: S311 - spreads the repeats of many clients


class Pace:
    """How many requests may run at once: as many as the server answers without refusing any.

    The number begins low. Each answer adds one, until the server refuses for the first time or answers become
    slow; then as many answers as run at once add one together. A refusal halves it, and nothing is sent until the
    time that the server named is over.
    """

    def __init__(self, most: int = 32) -> None:
        self.most = max(1, most)
        self.running = 0
        self.paused_until = 0.0
        self._at_once = float(min(_FIRST_AT_ONCE, self.most))
        self._refused_before = False
        self._shortest = float("inf")

    @property
    def at_once(self) -> int:
        return int(self._at_once)

    def wait(self, now: float) -> float | None:
        """Seconds until a request may be sent, 0 for at once; None: when another one has ended."""
        if self.paused_until > now:
            return self.paused_until - now
        return 0.0 if self.running < self.at_once else None

    def answered(self, seconds: float) -> None:
        self._shortest = min(self._shortest, seconds)
        slow = seconds > max(_BUSY_SECONDS, _BUSY * self._shortest)
        grown = self._at_once + (1 / self._at_once if self._refused_before or slow else 1)
        self._at_once = min(self.most, grown)

    def refused(self, now: float, seconds: float) -> None:
        """Halve once per refusal of a burst: those that were sent before the pause say nothing new."""
        if now >= self.paused_until:
            self._at_once = max(1.0, self._at_once / 2)
            self._refused_before = True
        self.paused_until = max(self.paused_until, now + seconds)


class Traffic:
    """What calls that run at the same time share: the server's refusals count for all of them.

    `patience` is the longest time in seconds without any answer; it begins with the first refusal or lost
    connection, and each answer ends it. `first_patience` is for a server that has never answered: its address may
    be wrong.
    """

    def __init__(
        self,
        patience: float = 30.0,
        at_once: int = 32,
        *,
        first_patience: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pace = Pace(at_once)
        self.patience = patience
        self.has_answered = False
        self._first_patience = patience if first_patience is None else min(patience, first_patience)
        self.clock = clock
        self.on_wait: Callable[[OcrError], None] = lambda _error: None
        self._since: float | None = None

    def answered(self) -> None:
        self.has_answered = True
        self._since = None

    def waiting_since(self) -> float | None:
        """When the server was found busy or gone; None while it answers."""
        return self._since

    def limit(self) -> float:
        """The patience that holds now."""
        return self.patience if self.has_answered else self._first_patience

    def wait_before_repeat(self, error: OcrError, tries: int, broken: int) -> float:
        """Seconds until the request is sent again, after `tries` repeats and `broken` unknown outcomes.

        Raises:
            OcrError: `error`, if the request must not be repeated, or patience is at its end.
        """
        now = self.clock()
        if isinstance(error, TooSlow) and tries == 0 and self.pace.running:  # others may have made it late
            self.pace.refused(now, 0.0)
            return 0.0
        if not (isinstance(error, Refused) or is_unknown(error) or isinstance(error, ServerGone)):
            self.answered()
            raise error
        if is_unknown(error) and broken > _MOST_BROKEN:
            raise error
        wait = error.retry_after
        if wait is None:
            wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(tries, 10)) * (0.5 + _jitter())
        if self._since is None:
            self._since = now
        if isinstance(error, Refused):
            self.has_answered = True
        if now + wait > self._since + self.limit():
            raise error
        if isinstance(error, Refused):
            self.pace.refused(now, wait)
        self.on_wait(error)
        return wait


def is_unknown(error: OcrError) -> bool:
    """Whether the server may have begun; reading changes nothing there, so that a second try does no harm."""
    if isinstance(error, ServerGone):
        return error.sent
    if isinstance(error, Refused | TooSlow):
        return False
    return error.code == "model_server_failed" or (error.status == 503 and error.retry_after is not None)
