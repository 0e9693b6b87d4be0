"""The end of a job: its final state and its webhook in one transaction, and its removal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal
from uuid import uuid4

from sqlalchemy import Connection, case, delete, insert, update

from api_gateway.jobs.job import FINAL, Job, State
from api_gateway.jobs.sql.accounts import add_bytes, shard
from api_gateway.jobs.sql.clock import Now
from api_gateway.jobs.sql.rows import ALIVE, JOB, AnyRow, job_of, locked
from api_gateway.jobs.sql.schema import hooks, inputs, jobs, pages
from api_gateway.jobs.webhooks.addresses import host_of

Event = Callable[[Job], bytes]
"""The body of the webhook for a job that has just ended."""

_WITH_RESULT: tuple[State, ...] = ("complete", "partial")


class Ends:
    """The jobs that a transaction ends; they have ended when it is committed."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.jobs: list[Job] = []


def finish(
    connection: Connection,
    ends: Ends,
    job_id: str,
    state: State,
    *,
    code: str | None = None,
    detail: str | None = None,
) -> None:
    """Set the final state of a job whose row is locked, and queue its webhooks."""
    values = {
        "state": state,
        "code": code,
        "detail": detail,
        "owner": None,
        "lease_until": None,
        "begun": None,
        "finished": Now(),
        "expires": Now() + jobs.c.ttl_seconds,
        "webhook_state": case((jobs.c.webhook_url.is_not(None), "pending")),
    }
    if state in _WITH_RESULT:
        values["result_state"] = case((jobs.c.result_url.is_not(None), "pending"))
    job = job_of(
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(**values).returning(*JOB)).one()
    )
    if job.webhook_state is not None and job.webhook_url is not None:
        _add_hook(connection, job, "webhook", job.webhook_url, ends.event(job))
    if job.result_state is not None and job.result_url is not None:
        _add_hook(connection, job, "result", job.result_url, b"")
    ends.jobs.append(job)


def finish_if_read(connection: Connection, ends: Ends, row: AnyRow) -> bool:
    """End a job all of whose pages have an outcome. `row` is up to date."""
    if row.pages_total is None or row.pages_done < row.pages_total:
        return False
    if row.pages_failed == 0:
        finish(connection, ends, row.id, "complete")
    elif row.pages_failed < row.pages_done:
        finish(connection, ends, row.id, "partial")
    else:
        finish(connection, ends, row.id, "failed", code="pages_failed", detail="No page could be read.")
    return True


def remove(connection: Connection, ends: Ends, tenant: str, job_id: str) -> Literal["cancelled", "removed"] | None:
    row = locked(connection, jobs.c.id == job_id, jobs.c.tenant == tenant, ALIVE)
    if row is None:
        return None
    if row.state in FINAL:
        erase(connection, [row])
        return "removed"
    finish(connection, ends, job_id, "cancelled")
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


def _add_hook(connection: Connection, job: Job, kind: Literal["webhook", "result"], url: str, body: bytes) -> None:
    hook = {
        "id": f"msg_{uuid4().hex}",
        "kind": kind,
        "job": job.id,
        "tenant": job.tenant,
        "url": url,
        "host": host_of(url),
        "body": body,
        "attempt": 1,
        "due": job.finished,
        "created": job.finished,
    }
    connection.execute(insert(hooks).values(**hook))
