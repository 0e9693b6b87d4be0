"""What is removed, what is given back, and the figures of the store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from api_gateway.jobs.job import Backlog
from api_gateway.jobs.sql.drivers import Driver
from api_gateway.jobs.sql.schema import inputs
from api_gateway.jobs.sql.sqlite import FILE, SqliteDriver
from api_gateway.jobs.sql_store import SqlStore
from tests.jobs.stores import FREE, LEASE, claimed, event, handed_in, new_job, page, submit

pytestmark = pytest.mark.anyio


async def ended(store: SqlStore, **values: object) -> str:
    job = await handed_in(store, **values)  # type: ignore[arg-type]
    claim = await claimed(store)
    assert await store.opened(claim, 1, 1)
    assert await store.add_page(claim, page(1), LEASE)
    return job.id


def stored_on_disk(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob(f"{FILE}*"))


async def test_expired_jobs_are_removed_with_all_that_is_theirs(store: SqlStore) -> None:
    gone = await ended(store, ttl_seconds=0.0, webhook_url="https://hooks.example.com/")
    kept = await ended(store)
    queued = await handed_in(store, ttl_seconds=0.0)
    assert await store.job("anna", gone) is None
    assert await store.watch([gone]) == {}
    assert await store.remove("anna", gone) is None
    assert [job.id for job in await store.jobs("anna", limit=9, after=None)] == [queued.id, kept]
    assert await store.sweep() == 1
    assert await store.sweep() == 0
    assert await store.page_numbers(gone) == []
    assert await store.page_numbers(kept) == [1]
    assert await store.claim_hooks("h", LEASE, 9, []) == []
    pages = [len(found.line) async for found in store.pages(kept, [1])]
    assert 8 + pages[0] < (await store.backlog()).stored_bytes < 8 + 2 * pages[0]


async def test_an_expired_job_can_be_read_to_its_end(driver: Driver) -> None:
    store = SqlStore(driver, event, store_bytes=1 << 30, linger_seconds=60)
    await store.open()
    job = await ended(store, ttl_seconds=0.0)
    assert await store.job("anna", job) is None
    assert await store.sweep() == 0
    assert [found async for found in store.pages(job, [1])] == [page(1)]
    assert [piece async for piece in store.file(job)] == [b"xxxx"]
    await store.close()


async def test_many_expired_jobs_are_removed_in_one_sweep(store: SqlStore) -> None:
    jobs = [new_job(ttl_seconds=0.0) for _ in range(120)]
    await store.submit(jobs, FREE, {job.id: (0, b"abcd") for job in jobs})
    for job in jobs:
        await store.remove("anna", job.id)
    assert await store.sweep() == 120
    assert (await store.backlog()).stored_bytes == 0


async def test_pieces_without_a_job_are_removed_an_hour_after_the_last_one(
    store: SqlStore, driver: Driver
) -> None:
    for number in (0, 1):
        await store.put_piece("old", number, b"abcd")
    await store.put_piece("slow", 0, b"abcd")
    job = new_job()
    await store.put_piece(job.id, 0, b"abcd")
    await store.submit([job], FREE, {})

    def age(connection: Connection) -> None:
        connection.execute(update(inputs).values(created=inputs.c.created - 3700))

    await driver.write(age)
    await store.put_piece("slow", 1, b"efgh")
    await store.sweep()
    assert [piece async for piece in store.file("slow")] == [b"abcd", b"efgh"]
    assert [piece async for piece in store.file(job.id)] == [b"abcd"]
    assert (await store.backlog()).stored_bytes == 12
    await store.drop_pieces(job.id)  # it is submitted
    await store.drop_pieces("slow")
    assert (await store.backlog()).stored_bytes == 4


async def test_the_file_of_sqlite_shrinks_again(tmp_path: Path) -> None:
    store = SqlStore(SqliteDriver(tmp_path), event, store_bytes=1 << 30, linger_seconds=0)
    await store.open()
    for _ in range(8):
        job = await submit(store, new_job(size=1 << 20, ttl_seconds=0.0))
        await store.remove("anna", job.id)
    assert stored_on_disk(tmp_path) > 8 << 20
    assert await store.sweep() == 8
    assert stored_on_disk(tmp_path) < 1 << 20
    await store.close()


async def test_the_folder_and_its_files_are_private(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        store = SqlStore(SqliteDriver(tmp_path / "a" / "jobs"), event, store_bytes=1 << 30)
        await store.open()
        await handed_in(store)
        modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "a" / "jobs").iterdir()}
        assert modes.keys() >= {FILE, f"{FILE}-wal", f"{FILE}-shm"}
        assert {*modes.values()} == {0o600}
        assert (tmp_path / "a" / "jobs").stat().st_mode & 0o777 == 0o700
        await store.close()
    finally:
        os.umask(mask)


async def test_the_backlog_counts_what_is_unread(store: SqlStore) -> None:
    assert await store.backlog() == Backlog(0, 0, 0, 0.0, 0, 0, 0.0)
    for tenant in ("anna", "ben", "carl"):
        await handed_in(store, tenant)
    claim = await claimed(store)
    assert await store.opened(claim, 12, 10)
    assert await store.add_page(claim, page(1), LEASE)
    cancelled = await handed_in(store, webhook_url="https://hooks.example.com/")
    await store.remove("anna", cancelled.id)
    found = await store.backlog()
    assert (found.queued, found.running, found.pages_unread, found.hooks_pending) == (2, 1, 11, 1)
    assert 0 < found.oldest_seconds < 60
    assert 0 <= found.hooks_oldest_seconds < 60
