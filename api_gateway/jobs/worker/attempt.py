"""One attempt to read a job: from its claim until its last page is stored, or until it ends before."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from api_gateway.documents.document import Document
from api_gateway.documents.fanout import UNSENT, Fanout
from api_gateway.documents.selection import choose
from api_gateway.errors import NoSpace, StoreUnavailable
from api_gateway.jobs.job import OPENING
from api_gateway.jobs.worker.ending import NOT_OF_THE_DOCUMENT, AttemptEnded
from api_gateway.jobs.worker.lease import Lease
from api_gateway.jobs.worker.picture import PictureSink, PictureSource
from api_gateway.jobs.worker.recorder import JobRecorder
from api_gateway.uploads.spool import RequestFolder, Spool
from service_kit import context, tracing
from service_kit.deadline import Deadline
from service_kit.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from api_gateway.admission import RequestAdmission
    from api_gateway.documents.document import Documents
    from api_gateway.jobs.job import Claim
    from api_gateway.jobs.store import JobStore
    from api_gateway.jobs.worker.pauses import Pauses
    from api_gateway.settings import GatewaySettings
    from service_kit.budget import Budget, Share

log = logging.getLogger("jobs")

_NO_DEADLINE_SECONDS = 10 * 365 * 86400.0  # each page has a deadline of its own
_STARTS_SECONDS = 60.0  # for a splitter to be started twice, and a margin
_MOST_QUESTIONS = 4  # to the splitter for one page: to open the file and to take out the page, both twice
_FAILURES = ("failed", "error", "lost", "unavailable")  # outcomes that a trace shows as errors
_LET_GO_SECONDS = 2.0  # for the store to answer when a job is let go


@dataclass(frozen=True, slots=True)
class JobTools:
    """The objects that all attempts of a worker share."""

    store: JobStore
    documents: Documents  # for jobs
    disk: Budget
    spool: Path
    lease_seconds: float
    stall_seconds: float
    """Time without progress after which an attempt counts as hung: longer than any step of a page takes."""
    changed: Callable[[], None]
    """Called when a page is stored."""
    may_read: Callable[[str], Awaitable[bool]] | None
    """Whether this tenant has pages left in this minute; None: there is no limit."""

    @classmethod
    def of(
        cls,
        settings: GatewaySettings,
        store: JobStore,
        documents: Documents,
        admission: RequestAdmission,
        changed: Callable[[], None] = lambda: None,
    ) -> Self:
        quotas = settings.quotas
        page_seconds = settings.request_timeout_seconds + settings.wait_for_model_seconds
        return cls(
            changed=changed,
            may_read=(lambda tenant: store.may_read(tenant, quotas)) if quotas.pages_a_minute else None,
            store=store,
            documents=documents,
            disk=admission.disk,
            spool=settings.spool,
            lease_seconds=settings.jobs_lease_seconds,
            stall_seconds=_STARTS_SECONDS + _MOST_QUESTIONS * settings.splitter_timeout_seconds + page_seconds,
        )


class JobAttempt:
    """`run` returns how it ended, and never raises but for its cancellation. `stop` ends it at once."""

    def __init__(
        self,
        tools: JobTools,
        claim: Claim,
        asked: float,
        pauses: Pauses,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`asked`: when the store was asked for the claim. `pauses`: seconds until a refused job is tried again.

        `before` is awaited before anything is opened.
        """
        self.claim = claim
        self._tools = tools
        self._pauses = pauses
        self._before = before
        self._lease = Lease(tools.lease_seconds, asked)
        self._recorder = JobRecorder(
            tools.store, claim, self._lease, tools.stall_seconds, tools.changed, tools.may_read, self._out_of_pages
        )
        self._leaving: asyncio.Task[None] | None = None
        self._reading: Fanout | None = None
        self._waits = False  # for its neighbours
        self._stopped: asyncio.Future[AttemptEnded] = asyncio.get_running_loop().create_future()

    def stop(self, ended: AttemptEnded) -> None:
        if not self._stopped.done():
            self._stopped.set_result(ended)

    async def make_way(self, outcome: Literal["released", "limited"] = "released") -> None:
        """Store the pages that are begun, then let the job go."""
        if self._reading is not None:
            await self._recorder.finish_begun()
        self.stop(AttemptEnded(outcome))

    def _out_of_pages(self) -> None:
        """The tenant has read its pages of this minute: its jobs are claimed again in the next one."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self.make_way("limited"))

    async def run(self) -> AttemptEnded:
        job, began = self.claim.job, time.monotonic()
        context.enter(context.RequestContext(id=job.id, deadline=Deadline(_NO_DEADLINE_SECONDS)))
        traced = tracing.begin("job attempt", {"traceparent": job.trace} if job.trace else {}, "consumer")
        if self.claim.number == 1:
            waited = max(0.0, time.time() - job.created)
            tracing.past("wait for a worker", began - waited, began, tracing.remote(job.trace), job=job.id)
        ended = await self._until_it_ends()
        if ended.outcome == "failed":
            ended = await self._fail(ended)
        if ended.outcome == "lost":
            ended = await self._why_lost(ended)
        if self._recorder.stored:
            self._pauses.reset()
        if self._leaving is not None:
            self._leaving.cancel()
        if ended.outcome in ("refused", "released", "limited"):
            await self._let_go(self._pauses.next() if ended.outcome == "refused" else 0)
        facts: dict[str, Any] = {
            "job": job.id,
            "tenant": job.tenant,
            "outcome": ended.outcome,
            **({"code": ended.code} if ended.code else {}),
            "attempt": self.claim.number,
            "pages": self._recorder.stored,
            "seconds": round(time.monotonic() - began, 4),
        }
        log.info("job", extra=facts)
        if traced is not None:
            traced.end(facts, ended.code or ended.outcome if ended.outcome in _FAILURES else None)
            traced.leave()
        return ended

    async def _until_it_ends(self) -> AttemptEnded:
        """Read, renew the lease, and stop what is left as soon as one of them ends."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._renew())]
        try:
            await asyncio.wait({*tasks, self._stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    return task.result()
            return self._stopped.result()
        except AttemptEnded as ended:
            return ended
        except ServiceError as error:
            return _of_error(error)
        except Exception:
            log.exception("unforeseen error")
            return AttemptEnded("error")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._lease.settle(_LET_GO_SECONDS)

    async def _renew(self) -> AttemptEnded:
        """Renew the lease while there is progress, until it has ended."""
        while self._lease.left:
            await asyncio.sleep(self._lease.until_renewal or self._lease.left)
            if self._has_progress():
                await self._lease.write(
                    lambda: self._tools.store.renew(self.claim, self._lease.seconds), renews=True
                )
        return AttemptEnded("lost")

    def _has_progress(self) -> bool:
        """To wait behind other documents is not to hang."""
        if self._waits or (self._reading is not None and self._reading.in_line):
            self._recorder.progress()
        return not self._recorder.is_hung

    async def _read(self) -> AttemptEnded:
        if self._before is not None:
            self._waits = True
            await self._before()
            self._waits = False
        self._recorder.progress()
        deadline = Deadline(_NO_DEADLINE_SECONDS)
        if self.claim.job.kind == "picture":
            await self._read_picture(deadline)
        else:
            await self._read_document(deadline)
        return AttemptEnded("finished")

    async def _read_picture(self, deadline: Deadline) -> None:
        job, tools = self.claim.job, self._tools
        self._recorder.numbers = choose(job.order.pages, 1, most=1)
        if job.pages_total is None:
            await self._lease.write(lambda: tools.store.opened(self.claim, 1, 1))
        source = PictureSource(tools.store, job)
        sink = PictureSink(self._recorder, self._count_pictures)
        async with Fanout(job.order, source, sink, tools.documents.sources, job.id, deadline) as reading:
            await self._all(reading)

    async def _count_pictures(self) -> None:
        """Note how many pictures the file has, which only the model server knows; one was noted at first."""
        count = self._reading.page_count if self._reading else 1
        if count > 1:
            await self._lease.write(lambda: self._tools.store.opened(self.claim, count, 1))

    async def _read_document(self, deadline: Deadline) -> None:
        job, tools, claim = self.claim.job, self._tools, self.claim
        assert job.kind != "picture"  # noqa: S101 - narrows the type
        with contextlib.closing(RequestFolder(tools.spool)) as folder, tools.disk.take(0) as disk:
            async with Document(tools.documents, job.id, deadline) as document:
                with tracing.span("read file"):
                    path = await self._file(folder, disk)
                if claim.careful:
                    await self._lease.write(lambda: tools.store.begin_page(claim, OPENING))
                self._lease.check()
                numbers = await document.open(path, job.kind, job.password, job.order.pages)
                if job.pages_total is None:
                    await self._lease.write(lambda: tools.store.opened(claim, document.page_count, len(numbers)))
                self._recorder.numbers = [number for number in numbers if number not in claim.stored]
                most = 1 if claim.careful else UNSENT
                async with document.pages(job.order, self._recorder, most_unsent=most) as reading:
                    await self._all(reading)

    async def _file(self, folder: RequestFolder, disk: Share) -> Path:
        """Write the job's file to disk.

        Raises:
            NoSpace, StoreUnavailable.
        """
        spool = Spool(folder, disk)
        async for piece in self._tools.store.file(self.claim.job.id):
            self._lease.check()
            self._recorder.progress()
            spool.add(piece)
            await spool.settle()
        return await spool.finish()

    async def _all(self, reading: Fanout) -> None:
        self._recorder.progress()
        self._reading = reading
        async for _ in reading:
            pass

    async def _fail(self, ended: AttemptEnded) -> AttemptEnded:
        code, detail = ended.code or "", ended.detail
        try:
            await self._lease.write(lambda: self._tools.store.fail(self.claim, code, detail))
        except AttemptEnded as otherwise:
            return otherwise
        return ended

    async def _why_lost(self, lost: AttemptEnded) -> AttemptEnded:
        """A write may have been done although its answer did not arrive; the client may have cancelled the job."""
        try:
            async with asyncio.timeout(_LET_GO_SECONDS):
                found = (await self._tools.store.watch([self.claim.job.id])).get(self.claim.job.id)
        except (StoreUnavailable, NoSpace, TimeoutError):
            return lost
        return AttemptEnded("cancelled") if found is None or found.state == "cancelled" else lost

    async def _let_go(self, seconds: float) -> None:
        """If the store does not answer, the lease ends by itself."""
        if self._lease.left:
            with contextlib.suppress(StoreUnavailable, NoSpace, TimeoutError):
                async with asyncio.timeout(_LET_GO_SECONDS):
                    await self._tools.store.release(self.claim, seconds)


def _of_error(error: ServiceError) -> AttemptEnded:
    """What an error of the whole document means for the attempt."""
    if error.code == StoreUnavailable.code:
        return AttemptEnded("unavailable", error.code)
    if error.code in NOT_OF_THE_DOCUMENT:
        return AttemptEnded("refused", error.code)
    if error.status < 500:
        return AttemptEnded("failed", error.code, str(error))
    return AttemptEnded("error", error.code)
