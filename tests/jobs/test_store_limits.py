"""Idempotency keys and quotas."""

from __future__ import annotations

import asyncio
import time

import pytest

from api_gateway.errors import IdempotencyMismatch, NoSpace, TooManyJobs
from api_gateway.jobs.job import Quotas
from api_gateway.jobs.sql.drivers import Driver
from api_gateway.jobs.sql_store import SqlStore
from tests.jobs.stores import FREE, LEASE, claimed, event, handed_in, new_job, page, submit

pytestmark = pytest.mark.anyio


async def test_many_submits_with_one_key_make_one_job(store: SqlStore) -> None:
    async def hand_in() -> str:
        job = new_job(size=8, key="k")
        await store.put_piece(job.id, 0, b"abcd")
        (found,) = await store.submit([job], FREE, {job.id: (1, b"efgh")})
        return found.id

    ids = await asyncio.gather(*(hand_in() for _ in range(20)))
    assert len({*ids}) == 1
    (job,) = await store.jobs("anna", limit=9, after=None)
    assert job.id == ids[0]
    assert (await store.backlog()).stored_bytes == 8
    assert await store.by_idempotency_key("anna", "k") == (await store.job("anna", job.id), "f")
    assert await store.by_idempotency_key("ben", "k") is None


async def test_a_key_with_another_document_is_refused_and_nothing_is_added(store: SqlStore) -> None:
    await handed_in(store, key="k")
    other, new = new_job(key="k", fingerprint="g"), new_job()
    with pytest.raises(IdempotencyMismatch):
        await store.submit([new, other], FREE, {new.id: (0, b"abcd"), other.id: (0, b"abcd")})
    assert len(await store.jobs("anna", limit=9, after=None)) == 1
    assert (await handed_in(store, "ben", key="k", fingerprint="g")).state == "queued"


async def test_a_key_is_free_again_when_its_job_has_expired(store: SqlStore) -> None:
    job = await handed_in(store, key="k", ttl_seconds=0.0)
    await store.remove("anna", job.id)
    assert await store.by_idempotency_key("anna", "k") is None
    again = await handed_in(store, key="k", fingerprint="g")
    assert again.id != job.id
    assert (await store.backlog()).stored_bytes == 4


async def test_one_key_twice_in_a_submit(store: SqlStore) -> None:
    one, two = new_job(key="k"), new_job(key="k")
    found = await store.submit([one, two], FREE, {job.id: (0, b"abcd") for job in (one, two)})
    assert [job.id for job in found] == [one.id, one.id]
    assert (await store.backlog()).stored_bytes == 4


async def test_queued_jobs_have_a_maximum_for_each_tenant(store: SqlStore) -> None:
    quotas = Quotas(queued=3, running=9, tenant_bytes=1 << 30, pages_a_minute=0, store_bytes=1 << 30)
    results = await asyncio.gather(*(submit(store, new_job(), quotas) for _ in range(9)), return_exceptions=True)
    assert sum(isinstance(result, TooManyJobs) for result in results) == 6
    assert (await store.backlog()).queued == 3
    await submit(store, new_job("ben"), quotas)
    await claimed(store)
    await submit(store, new_job(), quotas)
    with pytest.raises(TooManyJobs):
        await submit(store, new_job(), quotas)


async def test_stored_bytes_have_a_maximum_for_each_tenant(store: SqlStore) -> None:
    quotas = Quotas(queued=99, running=9, tenant_bytes=25, pages_a_minute=0, store_bytes=1 << 30)
    jobs = [await submit(store, new_job(size=10), quotas) for _ in range(2)]
    with pytest.raises(TooManyJobs):
        await submit(store, new_job(size=6), quotas)
    await submit(store, new_job("ben", size=6), quotas)
    await submit(store, new_job(size=5), quotas)
    for expected in ("cancelled", "removed"):
        assert await store.remove("anna", jobs[0].id) == expected
    await submit(store, new_job(size=10), quotas)


async def test_the_store_has_a_maximum_and_takes_pages_all_the_same(driver: Driver) -> None:
    store = SqlStore(driver, event, store_bytes=100, linger_seconds=0)
    await store.open()
    quotas = Quotas(queued=99, running=9, tenant_bytes=1 << 30, pages_a_minute=0, store_bytes=100)
    job = await submit(store, new_job(size=60), quotas)
    await store.put_piece("unfinished", 0, b"x" * 40)
    with pytest.raises(NoSpace):
        await store.put_piece("another", 0, b"x")
    with pytest.raises(NoSpace):
        await submit(store, new_job(size=1), quotas)
    assert [found.id for found in await store.jobs("anna", limit=9, after=None)] == [job.id]
    claim = await claimed(store)
    assert await store.opened(claim, 1, 1)
    assert await store.add_page(claim, page(1), LEASE)
    await store.drop_pieces("unfinished")
    await submit(store, new_job(size=1), quotas)
    await store.close()


async def test_the_clock_of_this_machine_has_no_effect(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before = time.time()
    monkeypatch.setattr(time, "time", lambda: before + 7200)
    job = await handed_in(store)
    claim = await claimed(store)
    assert await store.opened(claim, 1, 1)
    assert await store.add_page(claim, page(1), LEASE)
    await store.sweep()
    await store.backlog()
    monkeypatch.undo()
    ended = await store.job("anna", job.id)
    assert ended is not None
    assert ended.finished is not None
    assert before - 5 < ended.created < ended.finished < time.time() + 5
