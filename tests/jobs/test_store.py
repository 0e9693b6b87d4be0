"""The life of a job in the store, from its first piece to its removal."""

from __future__ import annotations

import pytest

from api_gateway.jobs.job import StoredPage
from api_gateway.jobs.sql_store import SqlStore
from service_kit.errors import NotFound
from tests.jobs.stores import FREE, GONE, LEASE, ORDER, claimed, handed_in, new_job, page, read, submit

pytestmark = pytest.mark.anyio


async def test_a_job_from_its_pieces_to_its_removal(store: SqlStore) -> None:
    job = new_job(size=9, password="secret", dpi=300.0, batch="b", webhook_url="https://hooks.example.com/a")
    await store.put_piece(job.id, 0, b"abcd")
    await store.put_piece(job.id, 1, b"efgh")
    (added,) = await store.submit([job], FREE, {job.id: (2, b"i")})
    assert (added.state, added.position, added.order, added.password) == ("queued", 0, ORDER, "secret")
    assert await store.job("anna", job.id) == added
    assert [piece async for piece in store.file(job.id)] == [b"abcd", b"efgh", b"i"]

    claim = await claimed(store)
    assert (claim.job.id, claim.number, claim.careful, claim.stored) == (job.id, 1, False, frozenset())
    assert claim.job.state == "running"
    assert claim.job.started is not None
    assert await store.opened(claim, 5, 3)
    assert await store.add_page(claim, page(3), LEASE)
    assert await store.add_page(claim, page(1, failed=True), LEASE)
    (found,) = (await store.watch([job.id])).values()
    assert (found.page_count, found.pages_total, found.pages_done, found.pages_failed) == (5, 3, 2, 1)
    assert await store.page_numbers(job.id) == [1, 3]
    assert await store.add_page(claim, page(2), LEASE)

    ended = await store.job("anna", job.id)
    assert ended is not None
    assert (ended.state, ended.webhook_state, ended.position) == ("partial", "pending", None)
    assert ended.finished is not None
    assert ended.expires == pytest.approx(ended.finished + 60)
    assert [found async for found in store.pages(job.id, [3, 1])] == [page(3), page(1, failed=True)]
    assert not await store.add_page(claim, page(4), LEASE)

    (hook,) = await store.claim_hooks("h", LEASE, 10, [])
    assert hook.body == b'{"id":"%s","state":"partial","pages_failed":1,"code":null}' % job.id.encode()
    await store.hook_done(hook, "delivered")
    ended = await store.job("anna", job.id)
    assert ended is not None
    assert ended.webhook_state == "delivered"

    assert await store.remove("anna", job.id) == "removed"
    assert await store.job("anna", job.id) is None
    assert (await store.backlog()).stored_bytes == 0
    with pytest.raises(NotFound):
        _ = [piece async for piece in store.file(job.id)]
    with pytest.raises(NotFound):
        _ = [found async for found in store.pages(job.id, [1])]


async def test_a_job_belongs_to_its_tenant(store: SqlStore) -> None:
    job = await handed_in(store, "anna")
    assert await store.job("ben", job.id) is None
    assert await store.remove("ben", job.id) is None
    assert await store.jobs("ben", limit=10, after=None) == []
    assert await store.remove("anna", job.id) == "cancelled"


async def test_all_jobs_are_added_or_none(store: SqlStore) -> None:
    one, two = new_job(), new_job(size=99)
    with pytest.raises(ValueError, match="its file has 99"):
        await store.submit([one, two], FREE, {one.id: (0, b"abcd"), two.id: (0, b"abcd")})
    assert await store.jobs("anna", limit=10, after=None) == []
    assert (await store.backlog()).stored_bytes == 0


async def test_a_list_goes_on_after_the_last_job_of_the_page_before(store: SqlStore) -> None:
    ids = [(await handed_in(store, batch="even" if number % 2 == 0 else None)).id for number in range(5)]
    first = await store.jobs("anna", limit=3, after=None)
    then = await store.jobs("anna", limit=3, after=first[-1].id)
    assert [job.id for job in (*first, *then)] == ids[::-1]
    assert [job.id for job in await store.jobs("anna", batch="even", limit=9, after=None)] == [*ids[4::-2]]
    await claimed(store)
    running = await store.jobs("anna", states=["running"], limit=9, after=None)
    assert [job.id for job in running] == ids[:1]


@pytest.mark.parametrize(("failed", "state"), [(0, "complete"), (1, "partial"), (2, "failed")])
async def test_the_pages_decide_the_final_state(store: SqlStore, failed: int, state: str) -> None:
    job = await handed_in(store)
    claim = await claimed(store)
    assert await store.opened(claim, 2, 2)
    for number in (1, 2):
        assert await store.add_page(claim, page(number, failed=number <= failed), LEASE)
    ended = await store.job("anna", job.id)
    assert ended is not None
    assert ended.state == state
    assert ended.code == ("pages_failed" if state == "failed" else None)


async def test_a_released_job_goes_to_the_next_worker_with_its_pages(store: SqlStore) -> None:
    await handed_in(store)
    claim = await claimed(store)
    await read(store, claim, [1], total=2)
    assert await store.release(claim)
    assert not await store.renew(claim, LEASE)
    again = await claimed(store, "other")
    assert (again.job.attempts, again.careful, again.stored) == (0, False, frozenset({1}))
    assert await store.release(again, 3600)
    assert await store.claim("third", LEASE, FREE) is None


async def test_a_late_worker_writes_nothing(store: SqlStore) -> None:
    job = await handed_in(store)
    late = await claimed(store, lease=GONE)
    for held in (False, True):  # nobody has the job; another worker has it
        if held:
            await claimed(store, "other")
        assert not await store.renew(late, LEASE)
        assert not await store.opened(late, 1, 1)
        assert not await store.begin_page(late, 1)
        assert not await store.add_page(late, page(1), LEASE)
        assert not await store.fail(late, "damaged_document", "")
        assert not await store.release(late)
    found = await store.job("anna", job.id)
    assert found is not None
    assert (found.state, found.pages_done, found.page_count) == ("running", 0, None)
    assert await store.page_numbers(job.id) == []


async def test_a_page_is_stored_once(store: SqlStore) -> None:
    job = await handed_in(store)
    claim = await claimed(store)
    await read(store, claim, [1], total=2)
    assert await store.add_page(claim, StoredPage(1, b"another", failed=True), LEASE)
    (found,) = (await store.watch([job.id])).values()
    assert (found.pages_done, found.pages_failed) == (1, 0)
    assert [stored.line async for stored in store.pages(job.id, [1])] == [page(1).line]


async def test_a_document_that_fails(store: SqlStore) -> None:
    job = await submit(store, new_job(webhook_url="https://hooks.example.com/"))
    assert await store.fail(await claimed(store), "damaged_document", "It is damaged.")
    found = await store.job("anna", job.id)
    assert found is not None
    assert (found.state, found.code, found.detail) == ("failed", "damaged_document", "It is damaged.")
    assert len(await store.claim_hooks("h", LEASE, 1, [])) == 1
