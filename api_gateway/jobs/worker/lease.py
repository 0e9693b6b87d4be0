"""The time for which a claim is certain to hold, and the writes that are made within it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from api_gateway.errors import NoSpace, StoreUnavailable
from api_gateway.jobs.worker.ending import AttemptEnded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger("jobs")

_RENEWALS = 3  # per lease
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0


class Lease:
    """Ends by this process's monotonic clock, counted from when the store was asked: never after the store's."""

    def __init__(self, seconds: float, asked: float) -> None:
        self.seconds = seconds
        self.store_answers = asyncio.Event()
        self.store_answers.set()
        self._asked = asked
        self._writes: set[asyncio.Future[bool]] = set()

    @property
    def left(self) -> float:
        """Remaining seconds; never negative."""
        return max(0.0, self._asked + self.seconds - time.monotonic())

    @property
    def until_renewal(self) -> float:
        return max(0.0, self._asked + self.seconds / _RENEWALS - time.monotonic())

    def check(self) -> None:
        """Check that the lease has not ended; a process that was stopped for long notices it here.

        Raises:
            AttemptEnded.
        """
        if not self.left:
            raise AttemptEnded("lost")

    async def settle(self, seconds: float) -> None:
        """Wait for writes whose callers were cancelled: what was read is stored if the store answers in time."""
        if self._writes:
            await asyncio.wait(self._writes, timeout=seconds)
        for late in self._writes:
            late.cancel()

    def _begun(self, write: Awaitable[bool]) -> asyncio.Future[bool]:
        found = asyncio.ensure_future(write)
        self._writes.add(found)
        found.add_done_callback(self._ended)
        return found

    def _ended(self, write: asyncio.Future[bool]) -> None:
        self._writes.discard(write)
        if not write.cancelled():
            write.exception()  # retrieved, if nobody waits for it any more

    async def write(self, write: Callable[[], Awaitable[bool]], *, renews: bool = False) -> None:
        """Make a write that the store accepts only under this claim; repeat it while the store is unavailable.

        Raises:
            AttemptEnded: the claim does not hold any more, or the lease ended before the store answered.
        """
        pause = _FIRST_PAUSE
        code = StoreUnavailable.code
        while True:
            self.check()
            asked = time.monotonic()
            try:
                async with asyncio.timeout(self.left):
                    held = await asyncio.shield(self._begun(write()))
                    break
            except (StoreUnavailable, NoSpace) as error:
                code = error.code
                self.store_answers.clear()
            except TimeoutError:
                if self.left:  # another write has renewed it meanwhile
                    continue
                raise AttemptEnded("unavailable", code) from None
            if self.left <= pause:
                raise AttemptEnded("unavailable", code)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self.store_answers.set()
        if not held:
            raise AttemptEnded("lost")
        if renews:
            self._asked = max(self._asked, asked)
