"""Removal of what nobody needs any more, and the figures of the whole store."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, case, delete, func, select

from api_gateway.jobs.job import Backlog
from api_gateway.jobs.sql.accounts import MINUTE, STORED_BYTES
from api_gateway.jobs.sql.clock import Now
from api_gateway.jobs.sql.ending import erase
from api_gateway.jobs.sql.rows import QUEUED, RUNNING
from api_gateway.jobs.sql.schema import hooks, inputs, jobs, usage

_JOBS_AT_ONCE = 50
_BYTES_AT_ONCE = 64 << 20  # others wait while so much is removed
_ORPHAN_SECONDS = 3600.0  # an upload that is under way stores a piece more often


def remove_expired(connection: Connection, linger_seconds: float) -> tuple[int, bool]:
    """Remove jobs that expired that long ago; how many, and whether there may be more.

    A file or result that is being read when its job expires is read to its end if that takes no longer.
    """
    query = (
        select(jobs)
        .where(jobs.c.expires <= Now() - linger_seconds)
        .order_by(jobs.c.expires)
        .limit(_JOBS_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(query).all()
    some, size = 0, 0
    while some < len(rows) and (some == 0 or size + rows[some].bytes <= _BYTES_AT_ONCE):
        size += rows[some].bytes
        some += 1
    if some:
        erase(connection, rows[:some])
    return some, some > 0 and (some < len(rows) or some == _JOBS_AT_ONCE)


def orphans(connection: Connection) -> list[str]:
    """Ids of jobs that were never submitted, and whose last piece is old."""
    newest = (
        select(inputs.c.job)
        .where(~select(jobs.c.id).where(jobs.c.id == inputs.c.job).exists())
        .group_by(inputs.c.job)
        .having(func.max(inputs.c.created) < Now() - _ORPHAN_SECONDS)
    )
    return [*connection.scalars(newest)]


def forget_usage(connection: Connection) -> None:
    connection.execute(delete(usage).where(usage.c.minute < MINUTE - 1))


def backlog(connection: Connection) -> Backlog:
    queued, queued_pages, queued_age = _waiting(connection, QUEUED)
    running, running_pages, _ = _waiting(connection, RUNNING)
    oldest = func.coalesce(Now() - func.min(hooks.c.created), 0.0)
    hook = connection.execute(select(func.count().label("pending"), oldest.label("age")).select_from(hooks)).one()
    return Backlog(
        queued=queued,
        running=running,
        pages_unread=queued_pages + running_pages,
        oldest_seconds=queued_age,
        stored_bytes=connection.scalar(STORED_BYTES) or 0,
        hooks_pending=hook.pending,
        hooks_oldest_seconds=max(0.0, hook.age),
    )


def _waiting(connection: Connection, state: ColumnElement[bool]) -> tuple[int, int, float]:
    """Jobs in this state, their unread pages, and the age of the oldest."""
    unread = case((jobs.c.pages_total.is_(None), 1), else_=jobs.c.pages_total - jobs.c.pages_done)
    age = func.coalesce(Now() - func.min(jobs.c.created), 0.0)
    pages = func.coalesce(func.sum(unread), 0)
    row = connection.execute(select(func.count(), pages, age).select_from(jobs).where(state)).one()
    return row[0], int(row[1]), max(0.0, row[2])
