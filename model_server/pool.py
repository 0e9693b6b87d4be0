"""Warm worker processes, each with one page at a time. The parent holds every clock and may kill.

A slot is a task that keeps one worker alive: it starts it, gives it pages, and replaces it when it crashed,
took too long, was abandoned in mid-page, or has served long enough. Slots do not know of each other, so that
any number of workers may hang at once and all are replaced at once.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from typing import TYPE_CHECKING, Any

from model_server.admission import Job, Queue
from model_server.errors import NotReady, OutOfMemory, WorkerCrashed, WorkerFailed, by_code
from service_kit.child import Child, ChildDied
from service_kit.errors import DeadlineExceeded
from service_kit.server import StartFailed
from service_kit.settings import MIB

if TYPE_CHECKING:
    from model_server.metrics import Metrics
    from model_server.settings import Settings

log = logging.getLogger("pool")

_WORKER_ENV = {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1"}  # Tesseract's threads fight over the cores
_LOOK_SECONDS = 0.25  # between looks at the memory of a worker at work
_FIRST_BACKOFF_SECONDS = 0.2
_LONGEST_BACKOFF_SECONDS = 15.0
_START_SECONDS = 60.0  # a worker that takes longer than this hangs
_AT_ONCE_SECONDS = 1.0  # an idle worker that dies within this has not come up, whatever it said
_EARLY = 0.01  # a timer may be this much before the clock
_FAILED_STARTS = 3  # in a row, without a worker alive: not ready


class Pool:
    def __init__(self, settings: Settings, size: int, metrics: Metrics) -> None:
        self.size = size
        self.queue = Queue(size, settings.max_queue)
        self.engine: dict[str, Any] = {}
        self._settings = settings
        self._metrics = metrics
        self._workers: set[Child] = set()
        self._failed_starts = 0
        self._slots: list[asyncio.Task[None]] = []
        self._first_ready: asyncio.Future[None] | None = None
        self._start_failure = ""
        metrics.watch(self)

    @property
    def alive(self) -> int:
        return len(self._workers)

    @property
    def ready(self) -> bool:
        """Not ready only when workers can't be kept alive: one that is being replaced is no reason."""
        return bool(self.engine) and (self.alive > 0 or self._failed_starts < _FAILED_STARTS)

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self._workers]

    async def start(self) -> None:
        """Start every slot and wait for the first worker.

        Raises:
            StartFailed: no worker came up; the text says why.
        """
        self._first_ready = asyncio.get_running_loop().create_future()
        self._slots = [asyncio.create_task(self._slot()) for _ in range(self.size)]
        await self._first_ready

    async def stop(self) -> None:
        for slot in self._slots:
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)

    async def read(self, job: Job) -> dict[str, Any]:
        """The page's prediction.

        Raises:
            Overloaded, NotReady, DeadlineExceeded, WorkerFailed, or what is wrong with the image.
        """
        if not self.ready:
            raise NotReady(retry_after=1)
        self.queue.offer(job)
        try:
            async with asyncio.timeout(job.deadline.left()):
                page = await job.done
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            job.done.cancel()  # wakes the slot that has it, which kills its worker
            self.queue.withdraw(job)
        self._metrics.page_read(page)
        return page

    async def _slot(self) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            worker = await self._spawn()
            began = time.monotonic()
            self._workers.add(worker)
            try:
                reason, pages = await self._employ(worker)
            except Exception:
                log.exception("worker given up")  # the slot has to go on
                reason, pages = "crashed", 0
            finally:
                self._workers.discard(worker)
                await asyncio.shield(worker.close())
            self._metrics.restarts.labels(reason).inc()
            log.log(
                logging.INFO if reason == "pages" else logging.WARNING,
                "worker replaced",
                extra={"reason": reason, "pid": worker.pid},
            )
            if pages or time.monotonic() - began > _AT_ONCE_SECONDS:
                backoff = _FIRST_BACKOFF_SECONDS
            else:
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)

    async def _spawn(self) -> Child:
        settings = self._settings
        config = {
            "engine": settings.test_engine or settings.engine,
            "tessdata": str(settings.tessdata) if settings.tessdata else None,
            "languages": list(settings.languages),
            "max_pixels": settings.max_pixels,
        }
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                async with asyncio.timeout(_START_SECONDS):
                    worker, ready = await Child.spawn("model_server.worker", config, _WORKER_ENV)
            except Exception as error:  # noqa: BLE001 - whatever it is, the slot has to go on
                self._failed_starts += 1
                why = getattr(error, "last_words", "").rpartition("\n")[2] or str(error) or repr(error)
                log.error("worker did not start", extra={"why": why, "again_in_seconds": backoff})  # noqa: TRY400
                if self._first_ready and not self._first_ready.done() and self._failed_starts >= _FAILED_STARTS:
                    self._first_ready.set_exception(StartFailed(f"No worker came up: {why}"))
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)
                continue
            self._failed_starts = 0
            self.engine = ready["engine"]
            if self._first_ready and not self._first_ready.done():
                self._first_ready.set_result(None)
            return worker

    async def _employ(self, worker: Child) -> tuple[str, int]:
        """Give the worker pages until it has to go; why it has to, and how many it had."""
        for pages in range(self._settings.worker_max_pages):
            job = await self._next(worker)
            if job is None:
                return _bury(worker, ChildDied(worker.gone.result(), worker.last_words())), pages
            self._metrics.queue_wait.observe(time.monotonic() - job.queued_at)
            reason, seconds = "", None
            try:
                reason, seconds = await self._serve(worker, job)
            finally:
                self.queue.finished(job, seconds, whole=not reason)
                if not job.done.done():  # only when this slot itself is being ended
                    job.done.set_exception(NotReady(retry_after=1))
            if reason:
                return reason, pages + 1
            if worker.resident_bytes() > self._settings.worker_recycle_mib * MIB:
                return "memory", pages + 1
        return "pages", self._settings.worker_max_pages

    async def _next(self, worker: Child) -> Job | None:
        """The worker's next page; None when it died while it waited: nobody's page is to be lost to that."""
        turn = asyncio.create_task(self.queue.next())
        job: Job | None = None
        try:
            await asyncio.wait((turn, worker.gone), return_when=asyncio.FIRST_COMPLETED)
            if turn.done() and not worker.gone.done():
                job = turn.result()
        finally:
            if not turn.cancel() and job is None:
                self.queue.give_back(turn.result())
        return job

    async def _serve(self, worker: Child, job: Job) -> tuple[str, float | None]:
        """Have the page read; why the worker has to go, if it has to, and the seconds where they say anything."""
        began = time.monotonic()
        call = asyncio.create_task(worker.call(_question(job), job.data))
        waiting: set[asyncio.Future[Any]] = {call, job.done}
        try:
            while not call.done():
                await asyncio.wait(waiting, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if call.done():
                    break
                if job.done.done():
                    if job.deadline.left() > _EARLY:
                        return "abandoned", None
                    return "deadline", time.monotonic() - began
                if worker.resident_bytes() > self._settings.worker_kill_mib * MIB:
                    job.done.set_exception(OutOfMemory())
                    return "memory", None
            try:
                answer, _ = call.result()
            except ChildDied as death:
                if not job.done.done():
                    job.done.set_exception(OutOfMemory() if _by_the_kernel(death) else WorkerCrashed())
                return _bury(worker, death, job.request_id), None
            _settle(job, answer)
            return "", time.monotonic() - began
        finally:
            if not call.done():
                worker.kill()
                await asyncio.gather(call, return_exceptions=True)


def _question(job: Job) -> dict[str, Any]:
    header = job.header
    return {
        "image": {"format": header.format, "width": header.width, "height": header.height},
        "languages": job.parameters.languages,
        "psm": job.parameters.psm,
    }


def _settle(job: Job, answer: dict[str, Any]) -> None:
    if job.done.done():
        return
    if error := answer.get("error"):
        cause = by_code(error["code"])
        if issubclass(cause, WorkerFailed):
            log.error("page failed", extra={"request_id": job.request_id, **error})
        job.done.set_exception(cause(error["text"]))
    else:
        job.done.set_result(answer["page"])


def _bury(worker: Child, death: ChildDied, request_id: str | None = None) -> str:
    """Log the death; the reason for a new worker."""
    log.error(
        "worker died",
        extra={
            "pid": worker.pid,
            "status": death.status,
            "last_words": death.last_words,
            "request_id": request_id,
        },
    )
    return "memory" if _by_the_kernel(death) else "crashed"


def _by_the_kernel(death: ChildDied) -> bool:
    return death.status == -signal.SIGKILL  # not by us: the kernel, for memory
