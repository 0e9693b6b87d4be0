"""Whose turn it is, what lost workers cost, and that everything happens once however many ask at the same time."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from sqlalchemy import Connection, insert, update

from api_gateway.jobs.job import OPENING, Claim, Quotas
from api_gateway.jobs.sql.accounts import MINUTE
from api_gateway.jobs.sql.drivers import Driver
from api_gateway.jobs.sql.schema import usage
from api_gateway.jobs.sql_store import SqlStore
from tests.jobs.stores import FREE, GONE, LEASE, claimed, handed_in, new_job, page, read

pytestmark = pytest.mark.anyio


async def lose(store: SqlStore, *, begun: int | None = None, read_pages: int = 0) -> Claim | None:
    """A worker takes the next job and is lost with it."""
    claim = await store.claim("lost", LEASE, FREE)
    if claim is None:
        return None
    assert await store.opened(claim, 3, 3)
    for number in range(1, read_pages + 1):
        assert await store.add_page(claim, page(number), LEASE)
    if begun is not None:
        assert await store.begin_page(claim, begun)
    assert await store.renew(claim, GONE)
    return claim


async def test_a_job_is_claimed_once_by_many_at_the_same_time(store: SqlStore) -> None:
    jobs = {(await handed_in(store)).id for _ in range(15)}
    claims = await asyncio.gather(*(store.claim(f"w{number}", LEASE, FREE) for number in range(20)))
    taken = [claim.job.id for claim in claims if claim is not None]
    assert len(taken) == 15
    assert {*taken} == jobs


async def test_a_lost_job_goes_before_queued_ones_and_is_taken_over_once(store: SqlStore) -> None:
    lost = await handed_in(store)
    await lose(store)
    await handed_in(store)
    claims = await asyncio.gather(*(store.claim(f"w{number}", LEASE, FREE) for number in range(3)))
    found = sorted((claim.number, claim.job.id == lost.id) for claim in claims if claim is not None)
    assert found == [(1, False), (2, True)]
    assert await store.claim("late", LEASE, FREE) is None


async def test_jobs_of_another_tenant_alternate_with_a_flood(store: SqlStore) -> None:
    flood = [new_job("flood") for _ in range(30)]
    await store.submit(flood, FREE, {job.id: (0, b"abcd") for job in flood})
    for _ in range(3):
        await claimed(store)
    mine = [await handed_in(store, "anna") for _ in range(3)]
    assert [job.position for job in mine] == [1, 3, 5]
    tenants = [(await claimed(store)).job.tenant for _ in range(8)]
    assert tenants == ["flood", "anna", "flood", "anna", "flood", "anna", "flood", "flood"]


async def test_a_waiting_tenant_gives_no_newcomer_a_better_turn(store: SqlStore) -> None:
    """Jobs that wait for their tenant's quota have old turns: a new tenant's jobs do not go before the others."""
    quotas = Quotas(queued=1000, running=1, tenant_bytes=1 << 30, pages_a_minute=0, store_bytes=1 << 30)
    for _ in range(5):
        await handed_in(store, "slow")
    await claimed(store, quotas=quotas)
    flood = [new_job("flood") for _ in range(30)]
    await store.submit(flood, FREE, {job.id: (0, b"abcd") for job in flood})
    for _ in range(20):
        claim = await claimed(store, quotas=quotas)
        assert claim.job.tenant == "flood"
        assert await store.fail(claim, "damaged_document", "")
    new = [new_job("anna") for _ in range(5)]
    await store.submit(new, quotas, {job.id: (0, b"abcd") for job in new})
    tenants = []
    for _ in range(6):
        claim = await claimed(store, quotas=quotas)
        tenants.append(claim.job.tenant)
        assert await store.fail(claim, "damaged_document", "")
    assert sorted(tenants) == ["anna", "anna", "anna", "flood", "flood", "flood"]


async def test_a_tenant_has_no_more_running_jobs_than_its_quota(store: SqlStore) -> None:
    quotas = Quotas(queued=1000, running=3, tenant_bytes=1 << 30, pages_a_minute=0, store_bytes=1 << 30)
    for tenant in ["anna"] * 8 + ["ben"] * 2:
        await handed_in(store, tenant)
    claims = await asyncio.gather(*(store.claim(f"w{number}", LEASE, quotas) for number in range(12)))
    tenants = sorted(claim.job.tenant for claim in claims if claim is not None)
    assert tenants == ["anna"] * 3 + ["ben"] * 2
    first = next(claim for claim in claims if claim is not None and claim.job.tenant == "anna")
    assert await store.fail(first, "damaged_document", "")
    assert (await claimed(store, quotas=quotas)).job.tenant == "anna"


async def test_a_tenant_waits_for_the_next_minute_when_its_pages_are_read(store: SqlStore, driver: Driver) -> None:
    quotas = Quotas(queued=1000, running=10, tenant_bytes=1 << 30, pages_a_minute=2, store_bytes=1 << 30)
    for _ in range(2):
        await handed_in(store, "anna")
    last = await handed_in(store, "ben")
    await read(store, await claimed(store, quotas=quotas), [1, 2], total=3)

    def read_in_the_next_minute(connection: Connection) -> None:  # it may begin now
        connection.execute(insert(usage).values(tenant="anna", minute=MINUTE + 1, shard=9, pages=2))

    await driver.write(read_in_the_next_minute)
    assert (await claimed(store, quotas=quotas)).job.id == last.id
    assert await store.claim("w", LEASE, quotas) is None

    def a_minute_later(connection: Connection) -> None:
        connection.execute(update(usage).values(minute=usage.c.minute - 2))

    await driver.write(a_minute_later)
    assert (await claimed(store, quotas=quotas)).job.tenant == "anna"


async def test_a_worker_that_stored_a_page_counts_no_attempt_when_it_is_lost(store: SqlStore) -> None:
    await handed_in(store)
    await lose(store, read_pages=1)
    claim = await claimed(store)
    assert (claim.job.attempts, claim.careful, claim.stored) == (0, False, frozenset({1}))


async def test_after_a_loss_without_a_page_a_worker_is_careful_until_it_has_read_one(store: SqlStore) -> None:
    await handed_in(store)
    await lose(store)
    claim = await claimed(store)
    assert (claim.job.attempts, claim.careful) == (1, True)
    await read(store, claim, [1], total=3)
    assert await store.release(claim)
    claim = await claimed(store)
    assert (claim.job.attempts, claim.careful) == (1, False)


async def test_a_document_that_ends_three_workers_before_its_first_page_fails(store: SqlStore) -> None:
    job = await handed_in(store, webhook_url="https://hooks.example.com/")
    other = await handed_in(store)
    for begun in (None, OPENING, OPENING):
        lost = await lose(store, begun=begun)
        assert lost is not None
        assert lost.job.id == job.id
    assert (await claimed(store)).job.id == other.id
    ended = await store.job("anna", job.id)
    assert ended is not None
    assert (ended.state, ended.code, ended.attempts) == ("failed", "document_kills_worker", 3)
    assert ended.detail == "3 workers ended while they read the document, before its first page."
    (hook,) = await store.claim_hooks("h", LEASE, 9, [])
    assert orjson.loads(hook.body)["code"] == "document_kills_worker"


async def test_workers_that_are_lost_before_they_open_the_document_are_not_held_against_it(
    store: SqlStore,
) -> None:
    await handed_in(store)
    for _ in range(9):
        await lose(store)
    claim = await claimed(store)
    assert (claim.job.attempts, claim.careful) == (9, True)
    await read(store, claim, [1, 2, 3])


async def test_a_page_that_ends_two_workers_fails_and_the_others_are_read(store: SqlStore) -> None:
    job = await handed_in(store)
    await lose(store, read_pages=1)
    await lose(store)
    for _ in range(2):
        lost = await lose(store, begun=2)
        assert lost is not None
        assert lost.careful
    claim = await claimed(store)
    assert (claim.careful, claim.stored) == (True, frozenset({1, 2}))
    (failed,) = [found async for found in store.pages(job.id, [2])]
    line = orjson.loads(failed.line)
    assert failed.failed
    assert (line["page"], line["status"], line["code"]) == (2, "failed", "worker_lost")
    assert await store.add_page(claim, page(3), LEASE)
    ended = await store.job("anna", job.id)
    assert ended is not None
    assert (ended.state, ended.pages_done, ended.pages_failed) == ("partial", 3, 1)


async def test_a_page_that_was_read_at_last_is_no_longer_suspected(store: SqlStore) -> None:
    await handed_in(store)
    await lose(store)
    await lose(store, begun=1)
    claim = await claimed(store)
    assert await store.begin_page(claim, 1)
    assert await store.add_page(claim, page(1), LEASE)
    assert await store.renew(claim, GONE)
    claim = await claimed(store)
    assert (claim.careful, claim.stored) == (False, frozenset({1}))


async def test_the_last_page_may_be_one_that_ends_workers(store: SqlStore) -> None:
    job = await handed_in(store)
    await lose(store, read_pages=2)
    await lose(store)
    for _ in range(2):
        await lose(store, begun=3)
    assert await store.claim("w", LEASE, FREE) is None
    ended = await store.job("anna", job.id)
    assert ended is not None
    assert (ended.state, ended.pages_done, ended.pages_failed) == ("partial", 3, 1)


async def test_a_final_state_is_set_once_when_the_last_page_meets_a_cancellation(store: SqlStore) -> None:
    outcomes = set()
    for _ in range(25):
        job = await handed_in(store, webhook_url="https://hooks.example.com/")
        claim = await claimed(store)
        assert await store.opened(claim, 1, 1)
        added, removed = await asyncio.gather(store.add_page(claim, page(1), LEASE), store.remove("anna", job.id))
        hooks = await store.claim_hooks("h", LEASE, 9, [])
        found = await store.job("anna", job.id)
        if removed == "cancelled":
            assert not added
            assert found is not None
            assert found.state == "cancelled"
            assert [orjson.loads(hook.body)["state"] for hook in hooks] == ["cancelled"]
        else:
            assert added
            assert removed == "removed"
            assert found is None
            assert hooks == []
        outcomes.add(removed)
    assert outcomes <= {"cancelled", "removed"}


async def test_a_cancelled_claim_leaves_no_running_job(store: SqlStore) -> None:
    for _ in range(20):
        await handed_in(store)
    claims = [asyncio.create_task(store.claim("w", LEASE, FREE)) for _ in range(20)]
    await asyncio.sleep(0)
    await claims[0]
    for claim in claims:
        claim.cancel()
    found = await asyncio.gather(*claims, return_exceptions=True)
    held = [claim for claim in found if isinstance(claim, Claim)]
    assert (await store.backlog()).running == len(held)
    assert len(held) < 20


async def test_hooks_are_claimed_once_and_come_back_when_their_sender_is_lost(store: SqlStore) -> None:
    for number in range(6):
        job = await handed_in(store, webhook_url=f"https://h{number % 2}.example.com/")
        assert await store.remove("anna", job.id) == "cancelled"
    claims = await asyncio.gather(*(store.claim_hooks(f"h{each}", LEASE, 2, []) for each in range(4)))
    taken = [hook for claim in claims for hook in claim]
    assert len({hook.id for hook in taken}) == len(taken) == 6
    assert await store.claim_hooks("other", LEASE, 9, []) == []
    for hook in taken:
        await store.hook_later(hook, 0)
    again = await store.claim_hooks("other", GONE, 9, ["h0.example.com"])
    assert [(hook.attempt, hook.url) for hook in again] == [(2, "https://h1.example.com/")] * 3
    once_more = await store.claim_hooks("third", LEASE, 9, ["h0.example.com"])
    assert [hook.attempt for hook in once_more] == [2, 2, 2]
    await store.hook_later(again[0], 3600)  # late: another sender has it
    await store.hook_done(again[1], "failed")
    assert (await store.backlog()).hooks_pending == 6
    await store.hook_done(once_more[0], "failed")
    await store.hook_done(again[1], "delivered")
    assert (await store.backlog()).hooks_pending == 4
    states = [job.webhook_state for job in await store.jobs("anna", limit=9, after=None)]
    assert sorted(map(str, states)) == ["delivered", "failed", "pending", "pending", "pending", "pending"]
