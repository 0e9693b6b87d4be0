"""Growing pauses between attempts at something that fails for a reason of its own."""

from __future__ import annotations

import random
import time

_FIRST_SECONDS = 1.0
_LONGEST_SECONDS = 30.0


class Pauses:
    """1, 2, 4 … 30 seconds with jitter. Several failures within a pause, as of several jobs, count as one."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._grows_at = 0.0

    def next(self) -> float:
        now = time.monotonic()
        if now >= self._grows_at:
            self._seconds = min(_LONGEST_SECONDS, 2 * self._seconds) or _FIRST_SECONDS
            self._grows_at = now + self._seconds
        return self._seconds * random.uniform(0.75, 1.25)  # noqa: S311 - not for secrets

    def reset(self) -> None:
        self._seconds = self._grows_at = 0.0
