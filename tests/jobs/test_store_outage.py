"""PostgreSQL is stopped, killed, frozen or full: clear errors within seconds, nothing lost, recovery by itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from api_gateway.errors import NoSpace, StoreUnavailable
from api_gateway.jobs.sql import postgres
from api_gateway.jobs.sql.postgres import PostgresDriver
from api_gateway.jobs.sql_store import SqlStore
from tests.jobs.postgres import PostgresServer, postgres_server
from tests.jobs.stores import FREE, GONE, LEASE, claimed, event, handed_in, page

pytestmark = pytest.mark.anyio

SECONDS = 12  # "within seconds": the longest time that a store may take to give up


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server(durable=True) as started:
        yield started


@pytest.fixture
async def store(server: PostgresServer) -> AsyncIterator[SqlStore]:
    opened = SqlStore(PostgresDriver(server.create()), event, 1 << 30)
    await opened.open()
    yield opened
    await opened.close()


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


async def test_a_stopped_database_is_reported_and_used_again(server: PostgresServer, store: SqlStore) -> None:
    job = await handed_in(store)
    claim = await claimed(store)
    assert await store.opened(claim, 2, 2)
    await asyncio.to_thread(server.stop)
    with within(SECONDS), pytest.raises(StoreUnavailable):
        await handed_in(store)
    with within(SECONDS), pytest.raises(StoreUnavailable):
        await store.add_page(claim, page(1), LEASE)
    with within(SECONDS), pytest.raises(StoreUnavailable):
        await store.job("anna", job.id)
    await asyncio.to_thread(server.start)
    assert await store.add_page(claim, page(1), LEASE)
    assert (await store.backlog()).running == 1


async def test_what_was_answered_survives_a_kill(server: PostgresServer, store: SqlStore) -> None:
    answered: list[str] = []
    enough = asyncio.Event()

    async def hand_in() -> None:
        with contextlib.suppress(StoreUnavailable):
            while True:
                answered.append((await handed_in(store)).id)
                if len(answered) == 20:
                    enough.set()

    working = [asyncio.create_task(hand_in()) for _ in range(3)]
    await enough.wait()
    await asyncio.to_thread(server.kill)
    with within(SECONDS):
        await asyncio.gather(*working)
    await asyncio.to_thread(server.start)
    there = await store.watch(answered)
    assert there.keys() == {*answered}
    # Of each call that was under way, the job may be there without an answer.
    assert len(answered) <= (await store.backlog()).queued <= len(answered) + 3


async def test_connections_that_died_are_replaced_unnoticed(server: PostgresServer, store: SqlStore) -> None:
    await asyncio.gather(*(handed_in(store) for _ in range(10)))
    await asyncio.to_thread(server.restart)
    await asyncio.gather(*(handed_in(store) for _ in range(10)))
    assert (await store.backlog()).queued == 20


async def test_a_frozen_database_is_reported_within_seconds(server: PostgresServer, store: SqlStore) -> None:
    await handed_in(store)
    server.freeze()
    try:
        with within(SECONDS):
            found = await asyncio.gather(*(handed_in(store) for _ in range(8)), return_exceptions=True)
        assert {type(each) for each in found} == {StoreUnavailable}
        with within(SECONDS), pytest.raises(StoreUnavailable):
            await store.backlog()
    finally:
        server.thaw()
    assert (await claimed(store)).job.state == "running"


async def test_a_store_opens_itself_when_the_database_comes(server: PostgresServer) -> None:
    url = await asyncio.to_thread(server.create)
    await asyncio.to_thread(server.stop)
    store = SqlStore(PostgresDriver(url), event, 1 << 30)
    with within(SECONDS), pytest.raises(StoreUnavailable):
        await store.open()
    with within(SECONDS), pytest.raises(StoreUnavailable):
        await handed_in(store)
    await asyncio.to_thread(server.start)
    assert (await handed_in(store)).position == 0
    await store.close()


async def test_a_worker_that_is_stopped_in_a_transaction_gives_its_locks_back(
    server: PostgresServer, store: SqlStore
) -> None:
    limit = await store._driver.read(
        lambda c: c.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
    )
    assert limit == "10s"


async def test_a_disk_quota_of_postgresql_is_no_space(server: PostgresServer, store: SqlStore) -> None:
    """The database itself raises what it raises for a full disk (SQLSTATE 53100), in the middle of a submit."""
    name = (await store._driver.read(lambda c: c.exec_driver_sql("SELECT current_database()").scalar())) or ""
    raising = (
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$; "
        "CREATE TRIGGER full_disk BEFORE INSERT ON jobs EXECUTE FUNCTION full_disk()"
    )
    await asyncio.to_thread(server.query, raising, name)
    with pytest.raises(NoSpace):
        await handed_in(store)
    assert (await store.backlog()).stored_bytes == 0
    await asyncio.to_thread(server.query, "DROP TRIGGER full_disk ON jobs", name)
    await handed_in(store)


async def test_a_process_that_stands_still_in_a_transaction_blocks_nobody_for_long(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the preparation of a statement and its execution PostgreSQL 15 has no limit of its own."""
    url = server.create()
    store = SqlStore(PostgresDriver(url), event, 1 << 30)
    await store.open()
    job = await handed_in(store)
    await claimed(store, lease=GONE)
    frozen = await asyncpg.connect(url, server_settings={"application_name": "ocr-gateway"})
    await frozen.execute("BEGIN")
    await frozen.execute("SELECT * FROM jobs WHERE id = $1 FOR UPDATE", job.id)
    await frozen.prepare("SELECT 1")
    assert await store.claim("other", LEASE, FREE) is None
    monkeypatch.setattr(postgres, "_FROZEN_SECONDS", 0.0)
    await store.sweep()
    assert (await claimed(store, "other")).job.id == job.id
    frozen.terminate()
    await store.close()
