"""Jobs for the tests of the store."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import orjson

from api_gateway.jobs.job import Claim, Job, NewJob, Quotas, StoredPage
from api_gateway.jobs.store import JobStore
from api_gateway.order import Order
from service_kit.page import Parameters

FREE = Quotas(queued=100_000, running=1000, tenant_bytes=1 << 40, pages_a_minute=0, store_bytes=1 << 40)
ORDER = Order(Parameters(("eng", "deu"), 6, "neural"), "json", pages="1-3", dpi=200)
LEASE = 30.0
GONE = 0.0  # a lease that has ended when it begins


def event(job: Job) -> bytes:
    return orjson.dumps({"id": job.id, "state": job.state, "pages_failed": job.pages_failed, "code": job.code})


def new_job(tenant: str = "anna", *, size: int = 4, key: str | None = None, **values: object) -> NewJob:
    job_id = str(values.pop("id", uuid4().hex))
    known = {"order": ORDER, "kind": "pdf", "fingerprint": "f", "ttl_seconds": 60.0, **values}
    return NewJob(id=job_id, tenant=tenant, size=size, idempotency_key=key, **known)  # type: ignore[arg-type]


async def submit(store: JobStore, job: NewJob, quotas: Quotas = FREE) -> Job:
    (found,) = await store.submit([job], quotas, {job.id: (0, b"x" * job.size)})
    return found


async def handed_in(store: JobStore, tenant: str = "anna", **values: object) -> Job:
    return await submit(store, new_job(tenant, **values))  # type: ignore[arg-type]


async def claimed(store: JobStore, owner: str = "w", lease: float = LEASE, quotas: Quotas = FREE) -> Claim:
    claim = await store.claim(owner, lease, quotas)
    assert claim is not None
    return claim


def page(number: int, *, failed: bool = False) -> StoredPage:
    return StoredPage(number, orjson.dumps({"page": number}) + b"\n", failed)


async def read(store: JobStore, claim: Claim, numbers: Sequence[int], total: int | None = None) -> None:
    """Open the job, and store these pages."""
    assert await store.opened(claim, total or len(numbers), total or len(numbers))
    for number in numbers:
        assert await store.add_page(claim, page(number), LEASE)
