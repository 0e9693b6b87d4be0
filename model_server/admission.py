"""Who may wait, how long that will take, and whose turn it is."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from model_server.errors import Overloaded

if TYPE_CHECKING:
    from model_server.header import ImageHeader
    from model_server.page import Parameters
    from service_kit.deadline import Deadline

_SECONDS_PER_MEGAPIXEL = 0.5  # before anything was measured: a text page at 640x480
_SECONDS_PER_PAGE = 0.01  # what a page costs however small it is
_MEMORY = 0.9  # weight of the past in the running mean
_AT_ONCE_SECONDS = 0.01  # a page that waited no longer than this is tried, whatever is expected of it
_CAUTION = 1.25  # on what a page is expected to take: late, it costs its worker, and all that wait are later then


@dataclass(eq=False, slots=True)
class Job:
    """One page on its way through. Whoever asked for it waits for `done`, and cancels it to give the page up."""

    data: bytes
    header: ImageHeader
    parameters: Parameters
    deadline: Deadline
    request_id: str
    done: asyncio.Future[dict[str, Any]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    queued_at: float = field(default_factory=time.monotonic)
    expected_seconds: float = 0.0


class Pace:
    """Seconds that a page takes, learnt from those that went before."""

    def __init__(self) -> None:
        self._seconds = _SECONDS_PER_MEGAPIXEL
        self._megapixels = 1.0

    def expected(self, pixels: int) -> float:
        return _SECONDS_PER_PAGE + self._seconds / self._megapixels * pixels / 1e6

    def learn(self, pixels: int, seconds: float) -> None:
        """A running ratio of sums, so that large pages weigh more than small ones."""
        self._seconds = _MEMORY * self._seconds + max(0.0, seconds - _SECONDS_PER_PAGE)
        self._megapixels = _MEMORY * self._megapixels + pixels / 1e6


class Queue:
    """Pages that wait, first come first served, bounded by number and by the time that each still has."""

    def __init__(self, workers: int, most: int) -> None:
        self.pace = Pace()
        self._workers = workers
        self._most = most
        self._waiting: deque[Job] = deque()
        self._running: dict[Job, float] = {}  # with the moment each was begun
        self._sleepers: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._running)

    def expected_wait(self) -> float:
        """Seconds until a page that comes now would be begun."""
        if len(self._running) < self._workers and not self._waiting:
            return 0.0
        now = time.monotonic()
        begun = sum(max(0.0, job.expected_seconds - (now - since)) for job, since in self._running.items())
        return (begun + sum(job.expected_seconds for job in self._waiting)) / self._workers

    def offer(self, job: Job) -> None:
        """Take the page in.

        Raises:
            Overloaded: no room, or its turn would come too late.
        """
        job.expected_seconds = self.pace.expected(job.header.pixels)
        wait = self.expected_wait()
        late = wait + job.expected_seconds - job.deadline.left()
        if wait and late > 0:
            raise Overloaded(retry_after=late)
        if len(self._waiting) >= self._most:
            raise Overloaded(retry_after=wait / 2)
        self._waiting.append(job)
        self._wake()

    async def next(self) -> Job:
        """The page whose turn it is. Ends with `finished`."""
        while True:
            while self._waiting:
                job = self._waiting.popleft()
                if job.done.done():
                    continue
                now = time.monotonic()
                late = _CAUTION * job.expected_seconds - job.deadline.left()
                if late > 0 and now - job.queued_at > _AT_ONCE_SECONDS:  # it would be killed in mid-page
                    job.done.set_exception(Overloaded(retry_after=late))
                    continue
                self._running[job] = now
                return job
            await self._sleep()

    def finished(self, job: Job, seconds: float | None) -> None:
        """The page is off its worker; `seconds` of work where it was read."""
        self._running.pop(job, None)
        if seconds is not None:
            self.pace.learn(job.header.pixels, seconds)

    def give_back(self, job: Job) -> None:
        """The page could not be begun: whoever is free next tries it."""
        self._running.pop(job, None)
        self._waiting.appendleft(job)
        self._wake()

    def withdraw(self, job: Job) -> None:
        """Take a page out whose asker has gone."""
        if job in self._waiting:
            self._waiting.remove(job)

    def _wake(self) -> None:
        while self._sleepers:
            sleeper = self._sleepers.popleft()
            if not sleeper.done():
                sleeper.set_result(None)
                return

    async def _sleep(self) -> None:
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers.append(sleeper)
        try:
            await sleeper
        except asyncio.CancelledError:
            if sleeper.done() and not sleeper.cancelled():
                self._wake()  # the call was meant for one that is leaving
            raise
