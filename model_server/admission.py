"""The page queue: admission, expected waiting times, and order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from model_server.pace import Pace, size_class
from service_kit import tracing
from service_kit.errors import DeadlineExceeded, Overloaded

if TYPE_CHECKING:
    from model_server.image_header import ImageHeader
    from service_kit.deadline import Deadline
    from service_kit.frames import Header, Payload
    from service_kit.otel import Span
    from service_kit.page import Parameters

_AT_ONCE_SECONDS = 0.01  # a page that waited at most this long is tried whatever its expected time
_CAUTION = 1.25  # factor on expected times: a late page costs its worker, which delays all others
_OVERTAKING = 4  # pictures that may overtake a waiting document page
_DOCUMENT_PAGES = 2  # waiting pages per worker: enough to keep it busy, few enough for pictures
PRIORITY_HEADER = "x-priority"


class Priority(StrEnum):
    """`document` marks pages of a long job, which wait behind single pictures."""

    INTERACTIVE = "interactive"
    DOCUMENT = "document"


@dataclass(eq=False, slots=True)
class QueuedPage:
    """One page of a call, or a part of one. Its caller waits for `done`, and cancels it to abandon the page.

    `done` gets a `Prediction`, or what was read of the part.
    """

    data: Payload
    header: ImageHeader
    parameters: Parameters
    deadline: Deadline
    request_id: str
    priority: Priority = Priority.INTERACTIVE
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    queued_at: float = field(default_factory=time.monotonic)
    patient: bool = False  # waits until its deadline, for its caller does not try again
    on_trial: bool = False  # the first page of an unknown size class: not refused for its own time
    share: float = 1.0  # of the page's time: less if several workers read it together
    part: Header | None = None  # what is asked about a part of a page that another worker reads
    helped_seconds: float = 0.0  # of other workers
    span: Span | None = field(default_factory=tracing.current)  # of its call


class PageAdmission:
    """Waiting pages, limited by their deadlines and by number.

    First come, first served within a priority. Pictures go before document pages, except at every fifth turn.
    """

    def __init__(self, workers: int, most: int) -> None:
        self.pace = Pace()
        self._workers = workers
        self._most = {Priority.INTERACTIVE: most, Priority.DOCUMENT: min(most, _DOCUMENT_PAGES * workers)}
        self._waiting: dict[Priority, deque[QueuedPage]] = {priority: deque() for priority in Priority}
        self._overtaken = 0  # pictures taken since the last document page while one was waiting
        self._running: dict[QueuedPage, float] = {}  # page: its start time
        self._permits = asyncio.Semaphore(0)  # at least one per waiting page
        self._free = 0  # workers that wait for a page

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def expected_wait(self, priority: Priority = Priority.INTERACTIVE) -> float:
        """Seconds until a page that arrives now would start."""
        ahead = self._ahead_of(priority)
        return self._wait_behind(len(self._running) + len(ahead), sum(map(self._expected, ahead)))

    def admit(self, pages: Sequence[QueuedPage]) -> None:
        """Queue all pages of a call, or none. They share one priority and one deadline.

        Raises:
            Overloaded: they would not be ready in time, unless they are patient, or the queue is full.
        """
        waiting = self._waiting[pages[0].priority]
        if not pages[0].patient:
            self._refuse_late(pages)
        if waiting and len(waiting) + len(pages) > self._most[pages[0].priority]:
            raise Overloaded(retry_after=self.expected_wait(pages[0].priority) / 2)
        waiting.extend(pages)
        for _ in pages:
            self._permits.release()

    @property
    def idle(self) -> int:
        """Workers that nothing waits for."""
        return max(0, self._free - len(self))

    def offer(self, part: QueuedPage) -> bool:
        """Have an idle worker read a part of a page at once; False if there is none."""
        if not self.idle:
            return False
        self._waiting[part.priority].appendleft(part)
        self._permits.release()
        return True

    async def next(self) -> QueuedPage:
        """Wait for the next page. Its worker must call `finished` afterwards."""
        while True:
            self._free += 1
            try:
                await self._permits.acquire()
            finally:
                self._free -= 1
            if not len(self):  # it was withdrawn
                continue
            page = self._pop()
            if page.done.done():
                continue
            now = time.monotonic()
            late = (1 if page.patient else _CAUTION) * self._own(page) - page.deadline.left()
            if late > 0 and now - page.queued_at > _AT_ONCE_SECONDS:  # its deadline would pass while it is read
                page.done.set_exception(DeadlineExceeded() if page.patient else Overloaded(retry_after=late))
                continue
            self._running[page] = now
            return page

    def finished(self, page: QueuedPage, seconds: float | None, *, whole: bool = True) -> None:
        """The page left its worker after `seconds` of work; None if they should not count for its size."""
        self._running.pop(page, None)
        if seconds is not None and page.part is None:
            learn = self.pace.learn if whole else self.pace.learn_at_least
            learn(page.header.pixels, seconds + page.helped_seconds)

    def give_back(self, page: QueuedPage) -> None:
        """The page could not be started: return it to the front of the queue. A part is not worth waiting for."""
        self._running.pop(page, None)
        if page.part is not None:
            page.done.cancel()
            return
        self._waiting[page.priority].appendleft(page)
        self._permits.release()

    def withdraw(self, page: QueuedPage) -> bool:
        """Remove the page from the queue if it still waits; whether it did."""
        waiting = self._waiting[page.priority]
        if page not in waiting:
            return False
        waiting.remove(page)
        return True

    def _refuse_late(self, pages: Sequence[QueuedPage]) -> None:
        ahead = self._ahead_of(pages[0].priority)
        tried = {size_class(page.header.pixels) for page in (*self._running, *chain(*self._waiting.values()))}
        count, seconds, late = len(self._running) + len(ahead), sum(map(self._expected, ahead)), 0.0
        for page in pages:
            size = size_class(page.header.pixels)
            page.on_trial = not self.pace.knows(page.header.pixels) and size not in tried
            tried.add(size)
            if wait := self._wait_behind(count, seconds):
                late = max(late, _CAUTION * (wait + self._own(page)) - page.deadline.left())
            count, seconds = count + 1, seconds + self._expected(page)
        if late > 0:
            raise Overloaded(retry_after=late)

    def _wait_behind(self, count: int, seconds: float) -> float:
        """Seconds until a page starts behind `count` others: the running ones, and `seconds` of queued work."""
        if count < self._workers:
            return 0.0
        now = time.monotonic()
        begun = sum(max(0.0, self._expected(page) - (now - since)) for page, since in self._running.items())
        return (begun + seconds) / self._workers

    def _own(self, page: QueuedPage) -> float:
        """Expected seconds of the page itself; 0 on trial."""
        return 0.0 if page.on_trial and not self.pace.knows(page.header.pixels) else self._expected(page)

    def _expected(self, page: QueuedPage) -> float:
        return page.share * self.pace.expected(page.header.pixels)

    def _ahead_of(self, priority: Priority) -> list[QueuedPage]:
        """The waiting pages that would be taken before a new page of this priority."""
        pictures, documents = (self._waiting[one] for one in Priority)
        first = len(documents) if priority is Priority.DOCUMENT else len(pictures) // _OVERTAKING
        return [*pictures, *islice(documents, first)]

    def _pop(self) -> QueuedPage:
        pictures, documents = (self._waiting[one] for one in Priority)
        if pictures and (not documents or self._overtaken < _OVERTAKING):
            self._overtaken += bool(documents)
            return pictures.popleft()
        self._overtaken = 0
        return documents.popleft()
