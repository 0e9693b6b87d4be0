"""How many pages to have with the model servers at once: learnt from what they say and how long they take.

Each answer tells how long its page was worked on; the rest of the time it waited. Where pages hardly wait, there
is room for more; where they wait longer than they are worked on, there are too many. In between about as many wait
as are worked on: no worker is idle between two pages, and a single picture finds a short queue. A refusal (429, no
connection) takes a third away.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_START = 2.0
_LEAST = 2.0
_MOST = 256.0
_WAITS_NOT = 0.1  # of the time that a page is worked on
_WAITS_LITTLE = 0.5
_WAITS_LONG = 1.5
_WAITS_TOO_LONG = 3.0
_STEP = 0.25  # places for an answer far off: a quarter more or less in each round
_CUT = 2 / 3
_CUT_SECONDS = 0.5  # between two cuts: refusals come in bunches
_UNEVEN = 0.02  # seconds beyond the least wait that are no sign of a queue


class Window:
    """For all documents of this gateway together; first come, first served."""

    def __init__(self) -> None:
        self.limit = _START
        self.in_flight = 0
        self._steep = True  # until the first sign of a queue: a place more for each answer, not for each round
        self._road = math.inf  # the least wait seen: the way there and back, without a queue
        self._cut_at = 0.0
        self._queue: deque[asyncio.Future[None]] = deque()

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for room for one page, and take it."""
        await self._enter()
        try:
            yield
        finally:
            self.in_flight -= 1
            self._wake()

    def answered(self, seconds: float, worked_seconds: float) -> None:
        """A page took so long from call to answer, and was worked on for part of it; it is still in its place."""
        waited = max(0.0, seconds - worked_seconds)
        self._road = min(self._road, waited)
        share = max(0.0, waited - self._road - _UNEVEN) / max(worked_seconds, 0.001)
        if share > _WAITS_LONG:
            self._steep = False
            self.limit = max(_LEAST, self.limit - (_STEP if share > _WAITS_TOO_LONG else 1 / self.limit))
        elif share < _WAITS_LITTLE and self.in_flight >= int(self.limit):
            step = 1 if self._steep else _STEP if share < _WAITS_NOT else 1 / self.limit
            self.limit = min(_MOST, self.limit + step)
            self._wake()
        elif share >= _WAITS_LITTLE:
            self._steep = False

    def refused(self) -> None:
        """A model server had no room, or was not there."""
        self._steep = False
        now = time.monotonic()
        if now - self._cut_at > _CUT_SECONDS:
            self._cut_at = now
            self.limit = max(_LEAST, self.limit * _CUT)

    async def _enter(self) -> None:
        if self.in_flight < int(self.limit) and not self._queue:
            self.in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the place was ours already
                self.in_flight -= 1
                self._wake()
            raise

    def _wake(self) -> None:
        while self._queue and self.in_flight < int(self.limit):
            turn = self._queue.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
