"""The end of a job: its final state and its webhook in one transaction, and its removal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, insert

from api_gateway.jobs.job import FINAL, Job, State
from api_gateway.jobs.sql.accounts import add_bytes, shard
from api_gateway.jobs.sql.rows import ALIVE, LOCKED, AnyRow, change, job_of
from api_gateway.jobs.sql.schema import hooks, inputs, jobs, pages
from api_gateway.jobs.webhooks.addresses import host_of

Event = Callable[[Job], bytes]
"""The body of the webhook for a job that has just ended."""

_COUNTS = "pages_total", "pages_done", "pages_failed"
_WITH_RESULT: tuple[State, ...] = ("complete", "partial")


_OWN = LOCKED.where(jobs.c.id == bindparam("job_id"), jobs.c.tenant == bindparam("tenant"), ALIVE)


class Ends:
    """The jobs that a transaction ends; they have ended when it is committed."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.jobs: list[Job] = []


def finish(
    connection: Connection,
    ends: Ends,
    row: AnyRow,
    state: State,
    *,
    code: str | None = None,
    detail: str | None = None,
    **also: Any,
) -> None:
    """Set the final state of a job whose row is locked, and other values, and queue its webhooks."""
    values = {
        **also,
        "state": state,
        "code": code,
        "detail": detail,
        "owner": None,
        "lease_until": None,
        "begun": None,
        "finished": row.at,
        "expires": row.at + row.ttl_seconds,
        "webhook_state": None if row.webhook_url is None else "pending",
    }
    if state in _WITH_RESULT:
        values["result_state"] = None if row.result_url is None else "pending"
    change(connection, row.id, values)
    job = job_of(row, values)
    if job.webhook_state is not None and job.webhook_url is not None:
        _add_hook(connection, job, "webhook", job.webhook_url, ends.event(job))
    if job.result_state is not None and job.result_url is not None:
        _add_hook(connection, job, "result", job.result_url, b"")
    ends.jobs.append(job)


def finish_if_read(connection: Connection, ends: Ends, row: AnyRow, **also: Any) -> bool:
    """End a job all of whose pages have an outcome; `also`: what changes in its row, which is not written yet."""
    total, done, failed = (also.get(name, getattr(row, name)) for name in _COUNTS)
    if total is None or done < total:
        return False
    if failed == 0:
        finish(connection, ends, row, "complete", **also)
    elif failed < done:
        finish(connection, ends, row, "partial", **also)
    else:
        none = "No page could be read."
        finish(connection, ends, row, "failed", code="pages_failed", detail=none, **also)
    return True


def remove(connection: Connection, ends: Ends, tenant: str, job_id: str) -> Literal["cancelled", "removed"] | None:
    row = connection.execute(_OWN, {"job_id": job_id, "tenant": tenant}).first()
    if row is None:
        return None
    if row.state in FINAL:
        erase(connection, [row])
        return "removed"
    finish(connection, ends, row, "cancelled")
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
    connection.execute(insert(hooks), hook)
