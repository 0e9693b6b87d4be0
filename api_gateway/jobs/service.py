"""All of this process that has to do with jobs, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from api_gateway.errors import NoSpace, StoreUnavailable
from api_gateway.jobs.counting import BacklogWatch, JobMetrics
from api_gateway.jobs.opening import make_store
from api_gateway.jobs.putting import ResultPuts
from api_gateway.jobs.watching import JobWatch
from api_gateway.jobs.webhooks.event import event_body
from api_gateway.jobs.webhooks.sender import HookSender, Webhooks
from api_gateway.jobs.worker.attempt import JobTools
from api_gateway.jobs.worker.pauses import Pauses
from api_gateway.jobs.worker.pool import JobWorker
from api_gateway.jobs.worker.upkeep import keep_swept

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from api_gateway.admission import RequestAdmission
    from api_gateway.documents.composer import Composer
    from api_gateway.documents.document import Documents
    from api_gateway.jobs.job import Job
    from api_gateway.settings import GatewaySettings

log = logging.getLogger("jobs")


class JobService:
    """The store and its upkeep; the worker in the role `worker`, the webhooks in `gateway`, both in `all`."""

    def __init__(
        self,
        settings: GatewaySettings,
        documents: Documents,
        admission: RequestAdmission,
        composer: Composer,
        is_draining: Callable[[], bool],
    ) -> None:
        """`documents` are those for jobs."""
        reads = settings.jobs_role != "gateway"
        self._metrics = JobMetrics(limit_bytes=settings.quotas.store_bytes, reads=reads)
        event = partial(event_body, public_url=settings.public_url)
        self.store = make_store(settings, event, self._ended)
        self.backlog = BacklogWatch(self.store, self._metrics)
        self.watch = JobWatch(self.store, settings.jobs_max_listeners, is_draining)
        self._worker: JobWorker | None = None
        self._tasks: list[Callable[[], Awaitable[None]]] = [self.backlog.run, partial(keep_swept, self.store)]
        self._senders: list[HookSender] = []
        if settings.jobs_role != "worker":
            self._senders.append(Webhooks(self.store, settings, self._metrics.hook))
            if settings.jobs_url_allow:
                self._senders.append(ResultPuts(settings, admission, composer, self.store))
        self._tasks += [sender.run for sender in self._senders]
        if reads:
            tools = JobTools.of(settings, self.store, documents, admission, self.watch.wake)
            attempted = self._metrics.attempt
            self._worker = JobWorker(tools, settings.quotas, settings.jobs_at_once, is_draining, attempted)
            self._tasks.append(self._worker.run)

    def wake(self) -> None:
        """A job was handed in to this process: the worker need not wait until it asks again."""
        if self._worker is not None:
            self._worker.wake()

    def cancelled(self, job_id: str) -> None:
        """A client cancelled this job: it stops here at once, and elsewhere when its lease is renewed."""
        if self._worker is not None:
            self._worker.cancelled(job_id)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Without its store, the gateway reads pictures and documents, and there are no jobs until it answers.

        Raises:
            StartFailed: the store cannot be used at all.
        """
        opening = asyncio.create_task(self._open(there=await self._opened()))
        tasks = [opening, *(asyncio.create_task(self._after(opening, task)) for task in self._tasks)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.store.close()

    def _ended(self, job: Job) -> None:
        self.watch.wake()
        self._metrics.ended(job)
        for sender in self._senders:
            sender.wake()

    async def _after(self, opening: asyncio.Task[None], task: Callable[[], Awaitable[None]]) -> None:
        """Run it; after an unforeseen error again, because nothing else does its work."""
        await asyncio.shield(opening)
        pauses = Pauses()
        while True:
            try:
                await task()
            except Exception:
                log.exception("a task of jobs failed")
                await asyncio.sleep(pauses.next())
            else:
                return

    async def _opened(self) -> bool:
        try:
            await self.store.open()
        except (StoreUnavailable, NoSpace) as error:
            log.error("no store of jobs", extra={"code": error.code})  # noqa: TRY400
            return False
        return True

    async def _open(self, *, there: bool) -> None:
        if there:
            return
        pauses = Pauses()
        while not there:
            await asyncio.sleep(pauses.next())
            there = await self._opened()
        log.info("the store of jobs is there")
