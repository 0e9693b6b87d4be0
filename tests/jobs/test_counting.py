"""Metrics of jobs and their backlog, as Prometheus and KEDA read them."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest

from api_gateway.errors import StoreUnavailable
from api_gateway.jobs.counting import ATTEMPTS, ENDS, HOOK_OUTCOMES, BacklogWatch, JobMetrics
from api_gateway.jobs.job import FINAL, Backlog, Job
from api_gateway.routes import backlog

SEEN = Backlog(
    queued=3,
    running=2,
    pages_unread=170,
    oldest_seconds=12.5,
    stored_bytes=5_000_000,
    hooks_pending=1,
    hooks_oldest_seconds=40,
)


class Answers:
    """A database that answers, and one that does not."""

    def __init__(self) -> None:
        self.up = True
        self.asked = 0

    async def backlog(self) -> Backlog:
        self.asked += 1
        if not self.up:
            raise StoreUnavailable
        return SEEN


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> JobMetrics:
    return JobMetrics(limit_bytes=8 << 30, reads=True, registry=registry)


def ended(**values: object) -> Job:
    nothing = dict.fromkeys(Job.__slots__)
    return Job(**{**nothing, "created": 100.0, "finished": 103.0, **values})  # type: ignore[arg-type]


def shown(registry: CollectorRegistry) -> dict[str, float]:
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_every_series_exists_from_the_start(metrics: JobMetrics, registry: CollectorRegistry) -> None:
    before = shown(registry)
    assert before["gateway_jobs_store_up"] == 0, "nobody has asked yet"
    for outcome in ATTEMPTS:
        metrics.attempt(outcome)
    for state in FINAL:
        metrics.ended(ended(state=state))
    metrics.ended(ended(state="failed", code="document_kills_worker", finished=200.0))
    for tried in HOOK_OUTCOMES:
        metrics.hook(tried)
    metrics.seen(SEEN)
    after = shown(registry)
    assert set(after) == set(before)
    assert {after[f'gateway_jobs_ended_total{{state="{state}"}}'] for state in ENDS} == {1}
    assert {after[f'gateway_jobs_attempts_total{{outcome="{each}"}}'] for each in ATTEMPTS} == {1}
    assert after["gateway_jobs_duration_seconds_count"] == 4, "without the cancelled one"
    assert after["gateway_jobs_duration_seconds_sum"] == 3 * 3 + 100
    assert after["gateway_jobs_pages_unread"] == 170
    assert after["gateway_jobs_webhooks_oldest_seconds"] == 40


def test_a_store_that_does_not_answer_is_down_and_its_last_figures_stay(
    metrics: JobMetrics, registry: CollectorRegistry
) -> None:
    store = Answers()
    watch = BacklogWatch(store, metrics)  # type: ignore[arg-type]
    assert asyncio.run(watch.look())
    assert (watch.latest, shown(registry)["gateway_jobs_store_up"]) == (SEEN, 1)
    store.up = False
    assert not asyncio.run(watch.look())
    assert watch.latest is None
    assert shown(registry)["gateway_jobs_store_up"] == 0
    assert shown(registry)["gateway_jobs_queued"] == 3


def test_pauses_grow_while_the_store_is_down_to_four_times(
    metrics: JobMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Answers()
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        store.up = len(pauses) >= 6
        if len(pauses) == 8:
            raise asyncio.CancelledError

    store.up = False
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(BacklogWatch(store, metrics, pause_seconds=2).run())  # type: ignore[arg-type]
    assert pauses == [3, 4.5, 6.75, 8, 8, 8, 2, 2]


@pytest.fixture
def seen() -> list[Backlog | None]:
    return [None]


def test_keda_gets_sums_and_no_old_figures(seen: list[Backlog | None]) -> None:
    app = FastAPI()
    app.include_router(backlog.make_router(lambda: seen[0]))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.get("/gateway/jobs/backlog")

    down = asyncio.run(ask())
    assert (down.status_code, down.json()["code"]) == (503, "store_unavailable")
    seen[0] = SEEN
    assert asyncio.run(ask()).json() == {
        "queued": 3,
        "running": 2,
        "unfinished": 5,
        "pages_unread": 170,
    }
