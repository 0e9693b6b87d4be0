"""Metrics of jobs, with bounded labels; every series exists from the start.

The store tells each final state that it sets, also one that it sets in a claim, the worker tells the outcome of
each attempt, and the sender of webhooks that of each try. Pages of jobs are counted as those of documents,
`gateway_document_pages`. All processes that share a store show the same backlog: take its maximum, not its sum.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from api_gateway.errors import StoreUnavailable

if TYPE_CHECKING:
    from api_gateway.jobs.job import Backlog, Job
    from api_gateway.jobs.store import JobStore


ENDS = ("complete", "partial", "failed", "document_kills_worker", "cancelled")
"""The final states; `document_kills_worker` is a failed job whose document ended three workers."""

Attempt = Literal[
    "finished", "failed", "released", "limited", "refused", "lost", "cancelled", "unavailable", "error"
]
ATTEMPTS: tuple[Attempt, ...] = (
    "finished",  # with the last page
    "failed",  # the document itself failed
    "released",  # let go because the process stops
    "limited",  # let go because its API key has read its pages of this minute
    "refused",  # let go because no model server takes pages
    "lost",  # the lease ended: counted by the worker that noticed it, or by the one that claimed the job
    "cancelled",  # by the client
    "unavailable",  # the store did not answer
    "error",  # a fault of the worker
)
HookOutcome = Literal["delivered", "retried", "failed"]
HOOK_OUTCOMES: tuple[HookOutcome, ...] = ("delivered", "retried", "failed")
"""`retried`: this try failed and another one follows. `failed`: no other one follows."""

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
_PAUSE_SECONDS = 5.0
_GROWTH = 1.5
_TIMEOUT_SECONDS = 10.0


class JobMetrics:
    """`limit_bytes` is the store's maximum; `reads`: this process reads jobs, and does not only take them."""

    def __init__(self, *, limit_bytes: int, reads: bool, registry: CollectorRegistry = REGISTRY) -> None:
        def gauge(name: str, help_text: str) -> Gauge:
            return Gauge(f"gateway_jobs_{name}", help_text, registry=registry)

        self._up = gauge("store_up", "1: the database of jobs answered the last time.")
        self._queued = gauge("queued", "Queued jobs.")
        self._running = gauge("running", "Running jobs.")
        self._unread = gauge("pages_unread", "Unread pages of queued and running jobs; an unopened job counts 1.")
        self._oldest = gauge("oldest_queued_seconds", "How long the oldest queued job has waited; 0 without one.")
        self._stored = gauge("stored_bytes", "Stored files and pages of jobs.")
        self._limit = gauge("stored_limit_bytes", "Maximum of stored files and pages of jobs.")
        self._hooks = gauge("webhooks_pending", "Webhooks that are not delivered yet.")
        self._oldest_hook = gauge("webhooks_oldest_seconds", "Age of the oldest undelivered webhook.")
        self._readers = gauge("reader", "1: this process reads jobs; 0: it only takes them.")
        self._attempts = Counter(
            "gateway_jobs_attempts", "Ends of attempts to read a job, by outcome.", ["outcome"], registry=registry
        )
        self._ended = Counter(
            "gateway_jobs_ended",
            "Jobs by final state; document_kills_worker is a failed one.",
            ["state"],
            registry=registry,
        )
        self._tries = Counter(
            "gateway_jobs_webhook_tries",
            "Tries to deliver a webhook, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._duration = Histogram(
            "gateway_jobs_duration_seconds",
            "Time from a job's creation to its final state, without cancelled jobs.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._limit.set(limit_bytes)
        self._readers.set(int(reads))
        for outcome in ATTEMPTS:
            self._attempts.labels(outcome)
        for state in ENDS:
            self._ended.labels(state)
        for each in HOOK_OUTCOMES:
            self._tries.labels(each)

    def attempt(self, outcome: Attempt) -> None:
        self._attempts.labels(outcome).inc()

    def ended(self, job: Job) -> None:
        """The store has set the job's final state."""
        self._ended.labels(job.code if job.code == "document_kills_worker" else job.state).inc()
        if job.state != "cancelled" and job.finished is not None:
            self._duration.observe(max(0.0, job.finished - job.created))

    def hook(self, outcome: HookOutcome) -> None:
        self._tries.labels(outcome).inc()

    def seen(self, backlog: Backlog) -> None:
        self._up.set(1)
        self._queued.set(backlog.queued)
        self._running.set(backlog.running)
        self._unread.set(backlog.pages_unread)
        self._oldest.set(backlog.oldest_seconds)
        self._stored.set(backlog.stored_bytes)
        self._hooks.set(backlog.hooks_pending)
        self._oldest_hook.set(backlog.hooks_oldest_seconds)

    def store_down(self) -> None:
        """The other gauges keep what was seen last."""
        self._up.set(0)


class BacklogWatch:
    """Asks the store for its backlog, again and again, so that a scrape never waits for the store."""

    def __init__(self, store: JobStore, metrics: JobMetrics, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self.latest: Backlog | None = None
        """None: not asked yet, or the store did not answer the last time."""
        self._store = store
        self._metrics = metrics
        self._pause_seconds = pause_seconds

    def seen(self) -> Backlog | None:
        return self.latest

    async def run(self) -> None:
        """Until cancelled. The pause grows while the store does not answer, to at most four times."""
        pause = self._pause_seconds
        while True:
            pause = self._pause_seconds if await self.look() else min(pause * _GROWTH, self._pause_seconds * 4)
            await asyncio.sleep(pause)

    async def look(self) -> bool:
        """Ask once; whether the store answered."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                self.latest = await self._store.backlog()
        except (StoreUnavailable, TimeoutError):
            self.latest = None
            self._metrics.store_down()
            return False
        self._metrics.seen(self.latest)
        return True
