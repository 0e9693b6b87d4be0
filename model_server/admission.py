"""Who may wait, how long that will take, and whose turn it is."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any

from model_server.errors import Overloaded
from model_server.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_server.header import ImageHeader
    from model_server.page import Parameters
    from service_kit.deadline import Deadline

_AT_ONCE_SECONDS = 0.01  # a page that waited no longer than this is tried, whatever is expected of it
_CAUTION = 1.25  # on what is expected: a page that is late costs its worker, and all that wait are later then
_OVERTAKING = 4  # pictures that may go before a document's page that waits
_DOCUMENT_PAGES = 2  # that may wait for each worker: enough to keep it busy, and pictures keep their room
PRIORITY_HEADER = "x-priority"


class Priority(StrEnum):
    """`document` is for the pages of a long job: they wait behind pictures that somebody waits for."""

    INTERACTIVE = "interactive"
    DOCUMENT = "document"


@dataclass(eq=False, slots=True)
class Job:
    """One page on its way through. Whoever asked for it waits for `done`, and cancels it to give the page up."""

    data: bytes
    header: ImageHeader
    parameters: Parameters
    deadline: Deadline
    request_id: str
    priority: Priority = Priority.INTERACTIVE
    done: asyncio.Future[dict[str, Any]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    queued_at: float = field(default_factory=time.monotonic)


class Queue:
    """Pages that wait, bounded by number and by the time that each still has.

    First come first served among equals. Pictures go before pages of documents, but for every fifth turn.
    """

    def __init__(self, workers: int, most: int) -> None:
        self.pace = Pace()
        self._workers = workers
        self._most = {Priority.INTERACTIVE: most, Priority.DOCUMENT: min(most, _DOCUMENT_PAGES * workers)}
        self._waiting: dict[Priority, deque[Job]] = {priority: deque() for priority in Priority}
        self._overtaken = 0  # times that a waiting document was, since it last had its turn
        self._running: dict[Job, float] = {}  # with the moment each was begun
        self._sleepers: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @property
    def running(self) -> int:
        return len(self._running)

    def expected_wait(self, priority: Priority = Priority.INTERACTIVE) -> float:
        """Seconds until a page that comes now would be begun."""
        ahead = list(self._ahead_of(priority))
        if len(self._running) + len(ahead) < self._workers:
            return 0.0
        now = time.monotonic()
        begun = sum(max(0.0, self._expected(job) - (now - since)) for job, since in self._running.items())
        return (begun + sum(map(self._expected, ahead))) / self._workers

    def offer(self, job: Job) -> None:
        """Take the page in.

        Raises:
            Overloaded: no room, or it would not be ready in time.
        """
        wait = self.expected_wait(job.priority)
        late = _CAUTION * (wait + self._expected(job)) - job.deadline.left()
        if wait and late > 0:
            raise Overloaded(retry_after=late)
        waiting = self._waiting[job.priority]
        if len(waiting) >= self._most[job.priority]:
            raise Overloaded(retry_after=wait / 2)
        waiting.append(job)
        self._wake()

    async def next(self) -> Job:
        """The page whose turn it is. Ends with `finished`."""
        while True:
            while len(self):
                job = self._pop()
                if job.done.done():
                    continue
                now = time.monotonic()
                late = _CAUTION * self._expected(job) - job.deadline.left()
                if late > 0 and now - job.queued_at > _AT_ONCE_SECONDS:  # it would be killed in mid-page
                    job.done.set_exception(Overloaded(retry_after=late))
                    continue
                self._running[job] = now
                return job
            await self._sleep()

    def finished(self, job: Job, seconds: float | None, *, whole: bool = True) -> None:
        """The page is off its worker after `seconds` of work, None where they say nothing of the page."""
        self._running.pop(job, None)
        if seconds is not None:
            learn = self.pace.learn if whole else self.pace.learn_at_least
            learn(job.header.pixels, seconds)

    def give_back(self, job: Job) -> None:
        """The page could not be begun: whoever is free next tries it."""
        self._running.pop(job, None)
        self._waiting[job.priority].appendleft(job)
        self._wake()

    def withdraw(self, job: Job) -> None:
        """Take a page out whose asker has gone."""
        waiting = self._waiting[job.priority]
        if job in waiting:
            waiting.remove(job)

    def _expected(self, job: Job) -> float:
        return self.pace.expected(job.header.pixels)

    def _ahead_of(self, priority: Priority) -> Iterator[Job]:
        """The waiting pages whose turn comes before that of one of this priority that comes now."""
        pictures, documents = (self._waiting[one] for one in Priority)
        first = len(documents) if priority is Priority.DOCUMENT else len(pictures) // _OVERTAKING
        yield from pictures
        yield from islice(documents, first)

    def _pop(self) -> Job:
        pictures, documents = (self._waiting[one] for one in Priority)
        if pictures and (not documents or self._overtaken < _OVERTAKING):
            self._overtaken += bool(documents)
            return pictures.popleft()
        self._overtaken = 0
        return documents.popleft()

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
