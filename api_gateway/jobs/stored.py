"""The stored pages of a job, as a record: in the requested order, complete when the job has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from api_gateway.documents.selection import choose
from service_kit.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api_gateway.documents.record import Record
    from api_gateway.jobs.job import Job
    from api_gateway.jobs.store import JobStore

_MAX_TOLD = 100  # failed pages listed in an error
_REMOVED = "The job has been removed."


async def numbers_of(store: JobStore, job: Job) -> Sequence[int]:
    """The stored pages, in the requested order.

    Raises:
        NotFound: the job has ended, and a page is gone.
    """
    stored = await store.page_numbers(job.id)
    if job.page_count is None:
        return stored
    there = {*stored}
    asked = choose(job.order.pages, job.page_count, most=job.page_count) if job.kind != "picture" else [1]
    if job.is_final and not there.issuperset(asked):
        raise NotFound(_REMOVED)
    return [number for number in asked if number in there]


async def load(store: JobStore, job: Job, record: Record) -> None:
    """Put the record's pages into it.

    Raises:
        NotFound, NoSpace, StoreUnavailable.
    """
    count = 0
    async for page in store.pages(job.id, record.numbers):
        await record.put(orjson.loads(page.line))
        count += 1
    if count < len(record.numbers):
        raise NotFound(_REMOVED)


async def failed_pages(store: JobStore, job: Job) -> list[dict[str, Any]]:
    """Number, code and detail of the pages that failed.

    Raises:
        NotFound, StoreUnavailable.
    """
    found: list[dict[str, Any]] = []
    async for page in store.pages(job.id, await numbers_of(store, job)):
        if page.failed and len(found) < _MAX_TOLD:
            line = orjson.loads(page.line)
            found.append({name: line[name] for name in ("page", "code", "detail")})
    return found
