"""The jobs that this process reads at once: claimed while there is a place, let go when the process stops."""

from __future__ import annotations

import asyncio
import logging
import platform
import time
import uuid
from typing import TYPE_CHECKING

from api_gateway.errors import NoSpace, StoreUnavailable
from api_gateway.jobs.waking import woken
from api_gateway.jobs.worker.attempt import JobAttempt, JobTools
from api_gateway.jobs.worker.ending import AttemptEnded
from api_gateway.jobs.worker.pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import Callable

    from api_gateway.jobs.counting import Attempt
    from api_gateway.jobs.job import Claim, Quotas

log = logging.getLogger("jobs")

_POLL_SECONDS = 1.0
_DRAIN_POLL_SECONDS = 0.1


class JobWorker:
    """Has a place for each job that is read at once."""

    def __init__(
        self,
        tools: JobTools,
        quotas: Quotas,
        at_once: int,
        is_draining: Callable[[], bool],
        observe: Callable[[Attempt], None] = lambda _outcome: None,
    ) -> None:
        """`observe` is called with the outcome of each attempt."""
        self.owner = f"{platform.node()}-{uuid.uuid4().hex}"  # in Kubernetes, the pod's name tells who reads a job
        self._tools = tools
        self._quotas = quotas
        self._at_once = at_once
        self._is_draining = is_draining
        self._observe = observe
        self._running: dict[asyncio.Task[None], JobAttempt] = {}
        self._alone: asyncio.Task[None] | None = None  # reads a document that ended a worker
        self._woken = asyncio.Event()
        self._stopping = False
        self._store_pauses = Pauses()
        self._refusal_pauses = Pauses()
        self._is_store_down = False

    @property
    def running(self) -> int:
        return len(self._running)

    def wake(self) -> None:
        """A job was handed in to this process."""
        self._woken.set()

    def cancelled(self, job_id: str) -> None:
        """A client cancelled this job."""
        for attempt in self._running.values():
            if attempt.claim.job.id == job_id:
                attempt.stop(AttemptEnded("cancelled"))

    def stop(self) -> None:
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Until `stop`, or until the process drains; then, and when it is cancelled, all jobs are let go."""
        draining = asyncio.create_task(self._look_for_drain())
        try:
            while not self._stopping:
                self._woken.clear()
                pause = _POLL_SECONDS
                if len(self._running) < self._at_once and self._alone is None:
                    asked = time.monotonic()
                    if claim := await self._claim():
                        self._start(claim, asked)
                        continue
                    pause = self._store_pauses.next() if self._is_store_down else pause
                await woken(self._woken, pause)
        finally:
            draining.cancel()
            await self._let_all_go()

    async def _claim(self) -> Claim | None:
        try:
            claim = await self._tools.store.claim(self.owner, self._tools.lease_seconds, self._quotas)
        except (StoreUnavailable, NoSpace) as error:
            if not self._is_store_down:
                log.error("no jobs from the store", extra={"code": error.code})  # noqa: TRY400
            self._is_store_down = True
            return None
        except Exception:
            log.exception("unforeseen error")
            self._is_store_down = True
            return None
        if self._is_store_down:
            log.info("jobs from the store again")
        self._is_store_down = False
        self._store_pauses.reset()
        return claim

    def _start(self, claim: Claim, asked: float) -> None:
        before = self._neighbours_gone if claim.careful else None
        attempt = JobAttempt(self._tools, claim, asked, self._refusal_pauses, before)
        task = asyncio.create_task(self._attempt(attempt))
        self._running[task] = attempt
        if claim.careful:
            self._alone = task

    async def _attempt(self, attempt: JobAttempt) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - narrows the type
        try:
            self._observe((await attempt.run()).outcome)
        except Exception:
            log.exception("unforeseen error")
            self._observe("error")
        finally:
            del self._running[task]
            if self._alone is task:
                self._alone = None
            self._woken.set()

    async def _neighbours_gone(self) -> None:
        """A document that ends this process would also end the attempts of the others."""
        others = {task: other for task, other in self._running.items() if task is not self._alone}
        ways = [asyncio.create_task(other.make_way()) for other in others.values()]
        try:
            if others:
                await asyncio.wait([*others])
        finally:
            for way in ways:
                way.cancel()

    async def _look_for_drain(self) -> None:
        while not self._is_draining():  # noqa: ASYNC110 - set by a signal handler
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
        self.stop()

    async def _let_all_go(self) -> None:
        for attempt in self._running.values():
            attempt.stop(AttemptEnded("released"))
        if self._running:
            await asyncio.wait([*self._running])
