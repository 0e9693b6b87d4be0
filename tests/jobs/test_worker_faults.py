"""A worker that is stopped, cut off from its store, or in the way: no page is lost, and none read without need."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from api_gateway.errors import StoreUnavailable
from api_gateway.jobs.job import Claim
from api_gateway.jobs.store import JobStore
from tests.documents.stand_in import ModelServer
from tests.jobs.desk import TENANT, Desk, Desks, document, picture, until, widths

pytestmark = pytest.mark.anyio

MANY = [*range(100, 120)]


class Line:
    """The store behind a line that can be cut: then no method answers."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self.cut = False
        self.refused = Counter[str]()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name == "file":
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.cut:
                self.refused[name] += 1
                raise StoreUnavailable
            return await found(*args, **kwargs)

        return call


class Dead(Line):
    """What a worker that is killed leaves: it lets nothing go."""

    async def release(self, _claim: Claim, _seconds: float = 0) -> bool:
        return False


class Once(Line):
    """Lets the worker claim one job."""

    async def claim(self, *args: Any) -> Claim | None:
        self.refused["claim"] += 1
        return await self._store.claim(*args) if self.refused["claim"] == 1 else None


async def stored(desk: Desk, job_id: str, least: int) -> None:
    async def enough() -> bool:
        return len(await desk.store.page_numbers(job_id)) >= least

    await until(enough)


async def test_a_process_that_ends_lets_go_at_once_and_the_next_one_reads_the_rest(
    desks: Desks, server: ModelServer
) -> None:
    server.seconds = 0.05
    desk = desks()
    async with desk.working():
        job_id = await desk.hand_in(document(*MANY))
        await stored(desk, job_id, 5)
        most = int(desk.concurrency.limit)
        began = time.monotonic()
    assert time.monotonic() - began < 1
    job = await desk.job(job_id)
    assert (job.state, job.attempts, desk.outcomes) == ("queued", 0, ["released"])
    kept = await desk.store.page_numbers(job_id)
    async with desk.working():
        assert (await desk.end(job_id)).state == "complete"
    times = Counter(widths(server.calls))
    assert not [number for number in kept if times[99 + number] > 1]
    assert times.total() <= len(MANY) + most, "only pages that were being read are read again"
    assert [page["text"] for page in await desk.pages(job_id)] == [f"w{width}\n" for width in MANY]


async def test_a_job_that_waits_for_a_slow_page_is_let_go_as_fast(desks: Desks, server: ModelServer) -> None:
    server.seconds = 60
    desk = desks()
    async with desk.working():
        job_id = await desk.hand_in(picture(), "picture")
        await until(lambda: server.calls)
        began = time.monotonic()
    assert time.monotonic() - began < 1
    assert (await desk.job(job_id)).state == "queued"
    await until(lambda: server.gone == 1)


async def test_a_worker_stopped_past_its_lease_and_woken_reads_and_writes_no_more(
    desks: Desks, server: ModelServer
) -> None:
    """As with SIGSTOP, nothing of the process runs for longer than the lease."""
    server.seconds = 0.02
    desk = desks(jobs_lease_seconds=1)
    job_id = await desk.hand_in(document(*MANY))
    async with desk.working(Once(desk.store)) as worker:
        await stored(desk, job_id, 3)
        time.sleep(1.3)  # noqa: ASYNC251 - the event loop is to be blocked
        calls = len(server.calls) + int(desk.concurrency.used)
        other = await until(lambda: desk.store.claim("another worker", 60, desk.settings.quotas))
        assert (other.job.id, other.number) == (job_id, 2)
        kept = set(await desk.store.page_numbers(job_id))
        await until(lambda: desk.outcomes and not worker.running)
        assert desk.outcomes in (["lost"], ["unavailable"])
        assert len(server.calls) <= calls, "but for those that were being made"
        assert set(await desk.store.page_numbers(job_id)) == kept == other.stored


async def test_pages_are_kept_while_the_store_is_away_and_stored_within_the_lease(
    desks: Desks, server: ModelServer
) -> None:
    server.seconds = 0.02
    desk = desks(jobs_lease_seconds=5)
    line = Line(desk.store)
    async with desk.working(line):
        job_id = await desk.hand_in(document(*MANY))
        await stored(desk, job_id, 3)
        line.cut = True
        await until(lambda: line.refused["add_page"] >= 3)
        line.cut = False
        assert (await desk.end(job_id)).state == "complete"
    assert sorted(widths(server.calls)) == MANY, "no page was read twice"


async def test_without_its_store_for_a_lease_a_worker_stops_and_later_goes_on(
    desks: Desks, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.seconds = 0.01
    desk = desks(jobs_lease_seconds=2)
    line = Line(desk.store)
    async with desk.working(line):
        job_id = await desk.hand_in(document(*range(100, 150)))
        await stored(desk, job_id, 3)
        line.cut = True
        await until(lambda: desk.outcomes == ["unavailable"])
        calls = len(server.calls)
        await until(lambda: line.refused["claim"] >= 2)
        assert len(server.calls) == calls < 40, "few pages are kept for the store"
        line.cut = False
        job = await desk.end(job_id)
    assert (job.state, job.attempts) == ("complete", 0), "pages were stored: the attempt counts for nothing"
    told = [record.message for record in caplog.records if record.message == "no jobs from the store"]
    assert len(told) == 1


async def test_a_lease_is_renewed_while_a_page_takes_long(desks: Desks, server: ModelServer) -> None:
    server.seconds = 2.5
    desk = desks(jobs_lease_seconds=1)
    async with desk.working():
        job = await desk.end(await desk.hand_in(picture(), "picture"))
    assert (job.state, job.attempts, len(server.calls)) == ("complete", 0, 1)


async def test_a_worker_that_hangs_loses_its_job(desks: Desks, server: ModelServer) -> None:
    server.seconds = 60
    desk = desks(jobs_lease_seconds=1)
    began = time.monotonic()
    async with desk.working(stall_seconds=0.1) as worker:
        job_id = await desk.hand_in(picture(), "picture")
        await until(lambda: desk.outcomes)
        assert desk.outcomes == ["lost"]
        assert time.monotonic() - began < 3
        server.seconds = 0
        worker.wake()
        job = await desk.end(job_id)
    assert (job.state, job.attempts) == ("complete", 1)


async def test_a_job_that_is_cancelled_here_stops_at_once(desks: Desks, server: ModelServer) -> None:
    server.seconds = 60
    desk = desks()
    async with desk.working() as worker:
        job_id = await desk.hand_in(document(100, 101))
        await until(lambda: server.at_once)
        assert await desk.store.remove(TENANT, job_id) == "cancelled"
        worker.cancelled(job_id)
        await until(lambda: desk.outcomes == ["cancelled"], 1)
        await until(lambda: server.gone >= 1, 1)
        assert (await desk.job(job_id)).state == "cancelled"


async def test_a_job_that_is_cancelled_elsewhere_stops_at_its_next_page(desks: Desks, server: ModelServer) -> None:
    server.seconds = 0.05
    desk = desks()
    async with desk.working():
        job_id = await desk.hand_in(document(*MANY))
        await stored(desk, job_id, 2)
        await desk.store.remove(TENANT, job_id)
        await until(lambda: desk.outcomes == ["cancelled"], 2)
    assert len(server.calls) < len(MANY)
    assert (await desk.job(job_id)).state == "cancelled"


async def lose(desk: Desk) -> None:
    """A worker dies in the job before it has stored a page."""
    assert await desk.store.claim("a worker that dies", 0, desk.settings.quotas)


async def test_a_document_that_ended_a_worker_is_read_alone_and_page_by_page(
    desks: Desks, server: ModelServer
) -> None:
    server.seconds = 0.03
    desk = desks()
    suspect = await desk.hand_in(document(200, 201, 202, 203))
    await lose(desk)
    await desk.store.claim("a worker that does not die", 60, desk.settings.quotas)  # so that it is not read first
    other = await desk.hand_in(document(*range(100, 190)))
    async with desk.working() as worker:
        await stored(desk, other, 4)
        claim = (await desk.store.watch([suspect]))[suspect]
        assert claim.state == "running"
        await desk.store.release(Claim(claim, "a worker that does not die", 2, careful=True, stored=frozenset()))
        worker.wake()
        for job_id in (suspect, other):
            assert (await desk.end(job_id)).state == "complete"
    found = widths(server.calls)
    first, last = found.index(200), found.index(203)
    assert found[first : last + 1] == [200, 201, 202, 203], "nothing else is read meanwhile"
    assert found.index(189) > last, "it went on afterwards"
    assert sorted(found) == [*range(100, 190), 200, 201, 202, 203], "no page of its neighbour was read twice"


async def test_a_page_is_noted_before_a_careful_worker_reads_it(desks: Desks, server: ModelServer) -> None:
    """Two workers die in page 1 of this document: it is not read a third time."""
    desk = desks()
    job_id = await desk.hand_in(document(100, 101, 102))
    await lose(desk)
    for _ in range(2):
        server.seconds = 60
        server.calls.clear()
        async with desk.working(Dead(desk.store), lease_seconds=0.5):
            await until(lambda: server.calls)
        await asyncio.sleep(0.5)  # until its lease has ended
        assert widths(server.calls) == [100]
    server.seconds = 0
    async with desk.working():
        job = await desk.end(job_id)
    assert (job.state, job.pages_failed) == ("partial", 1)
    assert [page.get("code") for page in await desk.pages(job_id)] == ["worker_lost", None, None]
    assert widths(server.calls) == [100, 101, 102], "the first is of the last worker that died"
