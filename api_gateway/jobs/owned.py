"""A tenant's own job, by an id that a client sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from service_kit.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from api_gateway.jobs.job import Job
    from api_gateway.jobs.store import JobStore

_ID = re.compile(r"[0-9a-f]{32}")  # a database may refuse other characters


async def owned_job(store: JobStore, tenant: str, job_id: str, missing: str) -> Job:
    """The job.

    Raises:
        NotFound: there is none; its text is `missing`.
    """
    job = await store.job(tenant, job_id) if _ID.fullmatch(job_id) else None
    if job is None:
        raise NotFound(missing)
    return job


async def remove_whole(store: JobStore, job: Job, cancelled: Callable[[str], None]) -> None:
    """Remove the job, and cancel it before if it has not ended. `cancelled` is told of that."""
    if await store.remove(job.tenant, job.id) == "cancelled":  # the job; its row goes with the second call
        cancelled(job.id)
        await store.remove(job.tenant, job.id)
