"""How many pages to send to the model servers at once, learned from their answers.

Each answer has the time that was spent on its page; the rest of the time the page waited. If pages hardly wait,
the limit grows. If they wait longer than they are worked on, it shrinks. In between, about as many wait as
are worked on: no worker is idle between two pages, and a single picture finds a short queue. A refusal (429, no
connection) takes a third away.
"""

from __future__ import annotations

import math
import time

from service_kit.budget import Budget

_START = 2.0
_LEAST = 2.0
_MOST = 256.0
_WAITS_NOT = 0.1  # relative to the time that is spent on a page
_WAITS_LITTLE = 0.5
_WAITS_LONG = 1.5
_WAITS_TOO_LONG = 3.0
_STEP = 0.25  # places per answer far from the target: a quarter more or less in each round
_CUT = 2 / 3
_CUT_SECONDS = 0.5  # between two cuts: refusals come in groups
_UNEVEN = 0.02  # seconds above the least wait that do not indicate a queue


class Concurrency(Budget):
    """Limits concurrent calls, for all documents of this gateway together."""

    def __init__(self) -> None:
        super().__init__(_START)
        self._steep = True  # until the first sign of a queue: one more for each answer, not for each round
        self._road = math.inf  # the least wait seen: network time without a queue
        self._cut_at = 0.0

    def answered(self, seconds: float, worked_seconds: float) -> None:
        """A page took `seconds` from call to answer; its share is not freed yet."""
        waited = max(0.0, seconds - worked_seconds)
        self._road = min(self._road, waited)
        share = max(0.0, waited - self._road - _UNEVEN) / max(worked_seconds, 0.001)
        if share > _WAITS_LONG:
            self._steep = False
            self.limit = max(_LEAST, self.limit - (_STEP if share > _WAITS_TOO_LONG else 1 / self.limit))
        elif share < _WAITS_LITTLE and self.used >= int(self.limit):
            step = 1 if self._steep else _STEP if share < _WAITS_NOT else 1 / self.limit
            self.limit = min(_MOST, self.limit + step)
        elif share >= _WAITS_LITTLE:
            self._steep = False

    def refused(self) -> None:
        """A model server refused a page, or could not be reached."""
        self._steep = False
        now = time.monotonic()
        if now - self._cut_at > _CUT_SECONDS:
            self._cut_at = now
            self.limit = max(_LEAST, self.limit * _CUT)
