"""Initialised worker processes, each reads one page at a time.

A slot is a task that keeps one worker alive: it starts the worker, gives it pages, and replaces it when it
crashed, took too long, lost its client during a page, or reached a recycling limit. Slots are independent: any
number of workers may hang at the same time, and all are replaced in parallel.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial
from signal import SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV
from typing import TYPE_CHECKING, Any

from model_server.admission import PageAdmission, QueuedPage
from model_server.errors import OutOfMemory, WorkerCrashed, WorkerFailed, by_code
from service_kit import tracing
from service_kit.child import CallLimits, Child, ChildLost
from service_kit.deadline import Deadline
from service_kit.errors import DeadlineExceeded, NotReady
from service_kit.server import StartFailed
from service_kit.settings import MIB

if TYPE_CHECKING:
    from model_server.metrics import ModelServerMetrics
    from model_server.prediction import Prediction
    from model_server.settings import ModelServerSettings
    from service_kit.frames import Header

log = logging.getLogger("pool")

# More threads of one worker would compete with the other workers for the cores.
_WORKER_ENV = {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_LONGEST_ANSWER = 32 * MIB
_MOST_HELPERS = 3  # other workers that read parts of one page
_TAKEN_SECONDS = 0.5  # an idle worker begins a part at once
_FIRST_BACKOFF_SECONDS = 0.2
_LONGEST_BACKOFF_SECONDS = 15.0
_AT_ONCE_SECONDS = 1.0  # an idle worker that dies within this time counts as a failed start
_EARLY = 0.01  # a timer may fire this much early
_FAILED_STARTS = 3  # consecutive, without a live worker: not ready
_CRASHES = {-number: number.name for number in (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT)}  # by exit status


class Workers:
    def __init__(self, settings: ModelServerSettings, metrics: ModelServerMetrics) -> None:
        self.size = settings.worker_count
        self.queue = PageAdmission(self.size, settings.max_queue)
        self.engine: dict[str, Any] = {}
        self._settings = settings
        self._limits = CallLimits(resident_bytes=settings.kill_mib * MIB, answer_bytes=_LONGEST_ANSWER)
        self._metrics = metrics
        self._alive: set[Child] = set()
        self._failed_starts = 0
        self._helped: QueuedPage | None = None  # one at a time, for this process passes its parts on
        self._slots: list[asyncio.Task[None]] = []
        self._first_ready: asyncio.Future[None] | None = None
        metrics.watch(self)

    @property
    def alive(self) -> int:
        return len(self._alive)

    @property
    def ready(self) -> bool:
        """False only when workers repeatedly fail to start; the replacement of a worker does not matter."""
        return bool(self.engine) and (self.alive > 0 or self._failed_starts < _FAILED_STARTS)

    async def start(self) -> None:
        """Start every slot and wait for the first worker.

        Raises:
            StartFailed: no worker started; the text gives the reason.
        """
        self._first_ready = asyncio.get_running_loop().create_future()
        self._slots = [asyncio.create_task(self._slot()) for _ in range(self.size)]
        await self._first_ready

    async def stop(self) -> None:
        for slot in self._slots:
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)

    async def read(self, pages: Sequence[QueuedPage], deadline: Deadline) -> list[Prediction]:
        """The predictions of a call, in order. If one fails, pages that were already started are still finished.

        Raises:
            Overloaded, NotReady, DeadlineExceeded, WorkerFailed, or an ImageError.
        """
        if not self.ready:
            raise NotReady(retry_after=1)
        self.queue.admit(pages)
        try:
            async with asyncio.timeout(deadline.left()):
                # Cancelling it cancels every `done`, which ends the workers' calls; a failure does not.
                predictions = await asyncio.gather(*(page.done for page in pages))
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            for page in pages:
                self.queue.withdraw(page)
        for prediction in predictions:
            self._metrics.page_read(prediction)
        return predictions

    async def _slot(self) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            worker = await self._start_worker()
            began = time.monotonic()
            self._alive.add(worker)
            try:
                reason, pages = await self._employ(worker)
            except Exception:
                log.exception("worker given up")  # the slot must continue
                reason, pages = "crashed", 0
            finally:
                self._alive.discard(worker)
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

    async def _start_worker(self) -> Child:
        settings = self._settings
        config = {
            "engine": settings.engine,
            "tesseract": settings.test_engine or settings.tesseract,
            "neural": (settings.test_neural or "neural") if settings.neural else None,
            "tessdata": str(settings.tessdata) if settings.tessdata else None,
            "languages": list(settings.languages),
            "max_pixels": settings.max_pixels,
        }
        env = {**settings.child_environment(), **_WORKER_ENV}
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                worker = await Child.start("model_server.reading.worker", config, self._limits, env)
                if worker.resident_bytes() > self._limits.resident_bytes:
                    await worker.close()
                    raise ChildLost("memory")  # noqa: TRY301 - as if the child had been killed for it
            except Exception as error:  # noqa: BLE001 - the slot must continue
                self._failed_starts += 1
                why = self._why(error)
                facts = {"why": why, "last_words": getattr(error, "last_words", ""), "again_in_seconds": backoff}
                log.error("worker did not start", extra=facts)  # noqa: TRY400
                if self._first_ready and not self._first_ready.done() and self._failed_starts >= _FAILED_STARTS:
                    self._first_ready.set_exception(StartFailed(f"No worker came up: {why}"))
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)
                continue
            self._failed_starts = 0
            self.engine = worker.ready["engine"]
            if self._first_ready and not self._first_ready.done():
                self._first_ready.set_result(None)
            return worker

    def _why(self, error: Exception) -> str:
        if isinstance(error, ChildLost) and error.cause == "memory":
            return f"it takes more than WORKER_KILL_MIB ({self._settings.kill_mib}) before its first page"
        if isinstance(error, ChildLost) and error.status in _CRASHES:
            return f"it ended with {_CRASHES[error.status]}"
        return getattr(error, "last_words", "").rpartition("\n")[2] or str(error) or repr(error)

    async def _employ(self, worker: Child) -> tuple[str, int]:
        """Give the worker pages until it must be replaced; returns the reason and the number of pages."""
        for pages in range(self._settings.worker_max_pages):
            page = await self._next(worker)
            if page is None:
                return _bury(worker, worker.lost(worker.gone.result())), pages
            began = time.monotonic()
            reason = "crashed"
            try:
                with tracing.under(page.span), tracing.span("worker", pid=worker.pid) as traced:
                    if page.part is None:
                        self._metrics.queue_wait.observe(began - page.queued_at, tracing.exemplar())
                        tracing.past("queue", page.queued_at, began, page.span)
                    reason = await self._serve(worker, page)
                    if reason:
                        traced.fail(reason)
            finally:
                seconds = time.monotonic() - began if reason in ("", "deadline") else None
                self.queue.finished(page, seconds, whole=not reason)
                if not page.done.done():  # only when this slot is being cancelled
                    page.done.set_exception(NotReady(retry_after=1))
            del page  # or its bytes would stay in memory, uncounted, until the next page
            if reason:
                return reason, pages + 1
            if worker.resident_bytes() > self._settings.recycle_mib * MIB:
                return "memory", pages + 1
        return "pages", self._settings.worker_max_pages

    async def _serve(self, worker: Child, page: QueuedPage) -> str:
        """Have the page read; returns the reason to replace the worker, or an empty string."""
        helpers = 0 if page.part or self._helped else min(self.queue.idle, _MOST_HELPERS)
        if helpers:
            self._helped = page
        asked = partial(self._help, page, 1 / (1 + helpers))
        question = page.part or _question(page, helpers)
        calling = asyncio.create_task(worker.call(question, page.data, deadline=page.deadline, asked=asked))
        page.done.add_done_callback(lambda _: calling.cancel())  # the caller cancelled the page
        try:
            _settle(page, (await calling).header)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not page.done.done() or (task and task.cancelling()):
                raise  # this slot is being cancelled
            return "abandoned" if page.deadline.left() > _EARLY else "deadline"
        except DeadlineExceeded as late:
            _fail(page, late)
            return "deadline"
        except ChildLost as lost:
            _fail(page, OutOfMemory() if lost.for_memory else WorkerCrashed())
            return _bury(worker, lost, page.request_id)
        finally:
            if self._helped is page:
                self._helped = None
        return ""

    async def _help(self, page: QueuedPage, share: float, question: Header, payload: bytes) -> Header | None:
        """What an idle worker reads on a part of the page; None if there is none, or it fails.

        A part that was begun is finished even if the page is given up, for its worker would have to be replaced.
        """
        part = QueuedPage(
            payload, page.header, page.parameters, page.deadline, page.request_id, part=question, span=page.span
        )
        if not self.queue.offer(part):
            return None
        page.share = part.share = share
        try:
            await asyncio.wait({part.done}, timeout=_TAKEN_SECONDS)
            if self.queue.withdraw(part):  # its worker has died
                return None
            await asyncio.wait({part.done})
        finally:
            self.queue.withdraw(part)
            part.done.add_done_callback(_look_at)
        page.helped_seconds += time.monotonic() - part.queued_at
        return None if part.done.cancelled() or part.done.exception() else part.done.result()

    async def _next(self, worker: Child) -> QueuedPage | None:
        """The next page; None if the worker died while idle, in which case the page returns to the queue."""
        turn = asyncio.create_task(self.queue.next())
        page: QueuedPage | None = None
        try:
            await asyncio.wait((turn, worker.gone), return_when=asyncio.FIRST_COMPLETED)
            if turn.done() and not worker.gone.done():
                page = turn.result()
        finally:
            if not turn.cancel() and page is None:
                self.queue.give_back(turn.result())
        return page


def _question(page: QueuedPage, helpers: int) -> Header:
    header = page.header
    return {
        "image": {"format": header.format, "width": header.width, "height": header.height},
        "languages": page.parameters.languages,
        "psm": page.parameters.psm,
        "engine": page.parameters.engine,
        "orientation": page.parameters.orientation,
        "helpers": helpers,
    }


def _settle(page: QueuedPage, answer: dict[str, Any]) -> None:
    if error := answer.get("error"):
        cause = by_code(error["code"])
        if issubclass(cause, WorkerFailed) and page.part is None:  # of a part, its page will tell
            log.error("page failed", extra={"request_id": page.request_id, **error})
        tracing.note("page failed", code=error["code"])
        _fail(page, cause(error["text"]))
    elif not page.done.done():
        page.done.set_result(answer["page"])
        if page.span is not None:  # without traces, nothing is worked out for them
            _trace(answer["steps"])
            if page.part is None:
                tracing.add(**_facts(page, answer["page"]))


def _trace(steps: Sequence[tuple[str, float, float]]) -> None:
    """Make spans of what the worker did; a step within another is its child."""
    outer, until = None, 0.0
    for name, began, ended in sorted(steps, key=lambda step: step[1]):
        if outer is not None and ended <= until:
            tracing.past(name, began, ended, outer)
        else:
            outer, until = tracing.past(name, began, ended, tracing.current()), ended


def _facts(page: QueuedPage, found: Prediction) -> dict[str, str | int | float]:
    """What a trace tells of a page that was read."""
    stamp = found["engine"]
    return {
        "format": found["format"],
        "pixels": page.header.pixels,
        "engine": stamp["name"] if stamp else "",
        "languages": "+".join(stamp["languages"]) if stamp else "",
        "words": len(found["words"]),
        "rotation": found["rotation"],
        "skew": found["skew"],
        "lines": found["lines"],
        "lines_read_again": found["lines_read_again"],
        "helped_seconds": round(page.helped_seconds, 4),
    }


def _look_at(done: asyncio.Future[Any]) -> None:
    """Else asyncio logs an exception that nobody has retrieved."""
    if not done.cancelled():
        done.exception()


def _fail(page: QueuedPage, error: Exception) -> None:
    if not page.done.done():
        page.done.set_exception(error)


def _bury(worker: Child, lost: ChildLost, request_id: str | None = None) -> str:
    """Log the lost worker; returns the reason to replace it."""
    log.error(
        "worker died",
        extra={
            "pid": worker.pid,
            "status": lost.status,
            "cause": lost.cause,
            "last_words": lost.last_words,
            "request_id": request_id,
        },
    )
    return "memory" if lost.for_memory else "crashed"
