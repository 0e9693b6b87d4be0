"""Rows to jobs, and the conditions that several transactions share."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Row, or_, select, tuple_

from api_gateway.jobs.job import Job, order_from_json
from api_gateway.jobs.sql.schema import jobs

_AS_THEY_ARE = (
    "id", "tenant", "batch", "state", "kind", "size", "password", "dpi", "page_count", "pages_total", "pages_done",
    "pages_failed", "attempts", "code", "detail", "webhook_url", "webhook_state",
    "result_url", "result_state", "ttl_seconds", "created", "started", "finished", "expires",
)  # fmt: skip

JOB = [jobs.c.options, *(jobs.c[name] for name in _AS_THEY_ARE)]
"""The columns of a job that clients may see."""

AnyRow = Row[*tuple[Any, ...]]

IN_TURN = (jobs.c.turn, jobs.c.created, jobs.c.id)


def job_of(row: AnyRow, position: int | None = None) -> Job:
    found = {name: getattr(row, name) for name in _AS_THEY_ARE}
    return Job(order=order_from_json(orjson.loads(row.options)), position=position, **found)


def alive(at: float) -> ColumnElement[bool]:
    """An expired job does not exist, also before it is removed."""
    return or_(jobs.c.expires.is_(None), jobs.c.expires > at)


def before(row: AnyRow) -> ColumnElement[bool]:
    """The queued jobs whose turn is before that of this one."""
    return (jobs.c.state == "queued") & (tuple_(*IN_TURN) < tuple_(row.turn, row.created, row.id))


def locked(connection: Connection, *conditions: ColumnElement[bool]) -> AnyRow | None:
    """The whole row of a job, which no other transaction changes until the end of this one."""
    return connection.execute(select(jobs).where(*conditions).with_for_update()).first()
