"""The end of a job: its final state and its webhook in one transaction, and its removal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from api_gateway.jobs.job import FINAL, Job, State
from api_gateway.jobs.sql.accounts import add_bytes, shard
from api_gateway.jobs.sql.clock import now
from api_gateway.jobs.sql.rows import JOB, AnyRow, alive, job_of, locked
from api_gateway.jobs.sql.schema import hooks, inputs, jobs, pages

Event = Callable[[Job], bytes]
"""The body of the webhook for a job that has just ended."""


def finish(
    connection: Connection,
    event: Event,
    job_id: str,
    state: State,
    *,
    code: str | None = None,
    detail: str | None = None,
) -> Job:
    """Set the final state of a job whose row is locked, and queue its webhook."""
    at = now(connection)
    final = (
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(state=state, code=code, detail=detail, owner=None, lease_until=None, begun=None)
        .values(finished=at, expires=at + jobs.c.ttl_seconds)
    )
    connection.execute(final)
    ended = (
        update(jobs).where(jobs.c.id == job_id, jobs.c.webhook_url.is_not(None)).values(webhook_state="pending")
    )
    connection.execute(ended)
    job = job_of(connection.execute(select(*JOB).where(jobs.c.id == job_id)).one())
    if job.webhook_url is not None:
        hook = {
            "id": f"msg_{uuid4().hex}",
            "job": job.id,
            "tenant": job.tenant,
            "url": job.webhook_url,
            "host": urlsplit(job.webhook_url).hostname or "",
            "body": event(job),
            "attempt": 1,
            "due": at,
            "created": at,
        }
        connection.execute(insert(hooks).values(**hook))
    return job


def finish_if_read(connection: Connection, event: Event, row: AnyRow) -> bool:
    """End a job all of whose pages have an outcome. `row` is up to date."""
    if row.pages_total is None or row.pages_done < row.pages_total:
        return False
    if row.pages_failed == 0:
        finish(connection, event, row.id, "complete")
    elif row.pages_failed < row.pages_done:
        finish(connection, event, row.id, "partial")
    else:
        finish(connection, event, row.id, "failed", code="pages_failed", detail="No page could be read.")
    return True


def remove(
    connection: Connection, event: Event, tenant: str, job_id: str
) -> Literal["cancelled", "removed"] | None:
    row = locked(connection, jobs.c.id == job_id, jobs.c.tenant == tenant, alive(now(connection)))
    if row is None:
        return None
    if row.state in FINAL:
        erase(connection, [row])
        return "removed"
    finish(connection, event, job_id, "cancelled")
    return "cancelled"


def erase(connection: Connection, rows: Sequence[AnyRow]) -> None:
    """Remove jobs, whose rows are locked, with all that is theirs."""
    ids = [row.id for row in rows]
    freed: Counter[tuple[str, int]] = Counter()
    for row in rows:
        freed[row.tenant, shard(row.id)] -= row.bytes
    for table in (pages, inputs, hooks):
        connection.execute(delete(table).where(table.c.job.in_(ids)))
    connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))
    add_bytes(connection, freed)
