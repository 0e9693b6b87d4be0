"""Where the pages of an attempt go: to the store, each as soon as it is read."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from api_gateway.formats import ndjson
from api_gateway.jobs.job import StoredPage
from api_gateway.jobs.worker.ending import NOT_OF_THE_PAGE, AttemptEnded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from api_gateway.answer import AnswerPage
    from api_gateway.jobs.job import Claim
    from api_gateway.jobs.store import JobStore
    from api_gateway.jobs.worker.lease import Lease


_MOST_WRITES = 4  # at once, before no new page is begun


class JobRecorder:
    """The lease is looked at before each page is taken out, before each call for it, and before it is stored."""

    def __init__(
        self,
        store: JobStore,
        claim: Claim,
        lease: Lease,
        stall_seconds: float,
        changed: Callable[[], None],
        may_read: Callable[[str], Awaitable[bool]] | None,
        out_of_pages: Callable[[], None],
    ) -> None:
        """`stall_seconds`: from the last progress until the attempt counts as hung.

        `changed` is called when a page is stored, `out_of_pages` when `may_read` denies the tenant a page.
        """
        self.numbers: Sequence[int] = ()
        self.stored = 0
        self._store = store
        self._claim = claim
        self._lease = lease
        self._stall_seconds = stall_seconds
        self._changed = changed
        self._may_read = may_read
        self._out_of_pages = out_of_pages
        self._expected = 0.0
        self._open: set[int] = set()  # begun, not stored
        self._writing = 0
        self._written = asyncio.Event()
        self._held_back = False
        self._idle = asyncio.Event()
        self.progress()

    def progress(self) -> None:
        self._expected = time.monotonic() + self._stall_seconds

    @property
    def is_hung(self) -> bool:
        return not self._writing and time.monotonic() > self._expected

    async def begin(self, number: int) -> None:
        """A new page waits while the store is away or slow: few pages are kept for it, and few can be lost."""
        if number not in self._open:
            while self._writing >= _MOST_WRITES:
                self._written.clear()
                await self._written.wait()
            await self._lease.store_answers.wait()
            if self._may_read is not None and not await self._may_read(self._claim.job.tenant):
                self._out_of_pages()
                self._held_back = True
                self._check_idle()
            if self._held_back:
                await asyncio.Event().wait()  # until the attempt ends
            self._open.add(number)
            if self._claim.careful:
                await self._write(number)
        self._lease.check()
        self.progress()

    async def put(self, page: AnswerPage) -> None:
        """Store the page.

        Raises:
            AttemptEnded: it has no outcome yet, or the picture cannot be read, or the claim does not hold.
        """
        number, failed = page["page"], page["status"] == "failed"
        if failed and page["code"] in NOT_OF_THE_PAGE:
            raise AttemptEnded("refused", page["code"])
        if failed and self._claim.job.kind == "picture":
            raise AttemptEnded("failed", page["code"], page["detail"])
        await self._write(number, StoredPage(number, ndjson.line(page), failed))
        self.stored += 1
        self._changed()
        self._open.discard(number)
        self._check_idle()
        self.progress()

    async def finish_begun(self) -> None:
        """Begin no page any more, and wait until those that are begun are stored."""
        self._held_back = True
        self._check_idle()
        await self._idle.wait()

    def _check_idle(self) -> None:
        if self._held_back and not self._open:
            self._idle.set()

    async def _write(self, number: int, page: StoredPage | None = None) -> None:
        """Store a page, or that it is begun."""
        self._writing += 1
        try:
            if page is None:
                await self._lease.write(lambda: self._store.begin_page(self._claim, number))
            else:
                seconds = self._lease.seconds
                await self._lease.write(lambda: self._store.add_page(self._claim, page, seconds), renews=True)
        finally:
            self._writing -= 1
            self._written.set()
