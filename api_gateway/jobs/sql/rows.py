"""Rows to jobs, and the conditions and statements that several transactions share.

Here and in the modules beside it, statements that run often are built once: that takes longer than to run them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from api_gateway.jobs.job import Job, order_from_json
from api_gateway.jobs.sql.clock import Now
from api_gateway.jobs.sql.schema import jobs

AnyRow = Row[*tuple[Any, ...]]

# Written out, because a parameter keeps SQLite from using the indexes of these states.
QUEUED = jobs.c.state == literal_column("'queued'")
RUNNING = jobs.c.state == literal_column("'running'")

QUEUE = (jobs, "INDEXED BY jobs_turn", "sqlite")
"""A hint for SQLite, which otherwise may sort the queue."""

IN_TURN = (jobs.c.turn, jobs.c.created, jobs.c.id)

ALIVE = or_(jobs.c.expires.is_(None), jobs.c.expires > Now())
"""An expired job does not exist, also before it is removed."""

_AS_THEY_ARE = (
    "id", "tenant", "batch", "state", "kind", "size", "password", "dpi", "page_count", "pages_total", "pages_done",
    "pages_failed", "attempts", "code", "detail", "webhook_url", "webhook_state", "result_url", "result_state",
    "ttl_seconds", "created", "started", "finished", "expires", "trace",
)  # fmt: skip

JOB = [jobs.c.options, *(jobs.c[name] for name in _AS_THEY_ARE)]
"""The columns of a job that clients may see."""


def _position() -> ColumnElement[int | None]:
    other = jobs.alias()
    earlier = tuple_(other.c.turn, other.c.created, other.c.id) < tuple_(*IN_TURN)
    count = select(func.count()).where(other.c.state == literal_column("'queued'"), earlier)
    return case((QUEUED, count.correlate(jobs).scalar_subquery())).label("position")


POSITION = _position()
"""How many queued jobs are before this one; NULL unless it is queued."""


def job_of(row: AnyRow, changed: Mapping[str, Any] | None = None) -> Job:
    """With its position if the row has it; with values of the row that were changed since."""
    found = {name: getattr(row, name) for name in _AS_THEY_ARE}
    if changed:
        found |= {name: value for name, value in changed.items() if name in found}
    return Job(order=order_from_json(orjson.loads(row.options)), position=getattr(row, "position", None), **found)


WHOLE = select(jobs, Now().label("at"))
"""Rows of jobs, and when they were looked at."""

LOCKED = WHOLE.with_for_update()
"""The same for jobs that no other transaction changes until the end of this one.

A row that another transaction changes meanwhile is looked at again after that.
"""

_CHANGE = update(jobs).where(jobs.c.id == bindparam("changed_id"))


def change(connection: Connection, job_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(_CHANGE, {"changed_id": job_id, **values})
