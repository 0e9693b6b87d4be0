"""Ten thousand queued jobs: what clients and workers ask stays fast."""

from __future__ import annotations

import time
from collections.abc import Awaitable

import pytest

from api_gateway.jobs.sql_store import SqlStore
from tests.jobs.stores import FREE, claimed, handed_in, new_job

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

QUEUED = 10_000
MOST_SECONDS = 0.02  # of a p95, as the issue asks on an idle machine
SLACK = 0.05  # for one that is not
ASKED = 60


async def p95(calls: list[Awaitable[object]]) -> float:
    times = []
    for call in calls:
        start = time.perf_counter()
        await call
        times.append(time.perf_counter() - start)
    return sorted(times)[int(len(times) * 0.95)]


async def test_ten_thousand_queued_jobs_slow_nobody_down(store: SqlStore) -> None:
    empty = await p95([handed_in(store, "first") for _ in range(ASKED)])
    for _ in range(QUEUED // 1000):
        jobs = [new_job("flood") for _ in range(1000)]
        await store.submit(jobs, FREE, {job.id: (0, b"abcd") for job in jobs})
    mine = await handed_in(store, "anna")
    assert mine.position is not None
    assert mine.position <= ASKED + 2
    found = {
        "submit": await p95([handed_in(store, "ben") for _ in range(ASKED)]),
        "status": await p95([store.job("anna", mine.id) for _ in range(ASKED)]),
        "claim": await p95([claimed(store) for _ in range(ASKED)]),
    }
    bound = max(MOST_SECONDS + SLACK, 3 * empty)
    assert {name: seconds for name, seconds in found.items() if seconds > bound} == {}, (found, empty)
