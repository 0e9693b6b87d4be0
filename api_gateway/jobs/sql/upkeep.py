"""Removal of what nobody needs any more, and the figures of the whole store."""

from __future__ import annotations

from sqlalchemy import Connection, case, delete, func, select

from api_gateway.jobs.job import Backlog
from api_gateway.jobs.sql.accounts import minute, stored_bytes
from api_gateway.jobs.sql.clock import now
from api_gateway.jobs.sql.ending import erase
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
        .where(jobs.c.expires <= now(connection) - linger_seconds)
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
        .having(func.max(inputs.c.created) < now(connection) - _ORPHAN_SECONDS)
    )
    return [*connection.scalars(newest)]


def forget_usage(connection: Connection) -> None:
    connection.execute(delete(usage).where(usage.c.minute < minute(now(connection)) - 1))


def backlog(connection: Connection) -> Backlog:
    at = now(connection)
    unread = case((jobs.c.pages_total.is_(None), 1), else_=jobs.c.pages_total - jobs.c.pages_done)
    waiting = select(
        jobs.c.state,
        func.count().label("jobs"),
        func.sum(unread).label("pages"),
        func.min(jobs.c.created).label("oldest"),
    )
    rows = connection.execute(waiting.where(jobs.c.state.in_(["queued", "running"])).group_by(jobs.c.state))
    found = {row.state: row for row in rows}
    pending, oldest = connection.execute(select(func.count(), func.min(hooks.c.created))).one()
    queued = found.get("queued")
    return Backlog(
        queued=queued.jobs if queued else 0,
        running=found["running"].jobs if "running" in found else 0,
        pages_unread=sum(int(row.pages) for row in found.values()),
        oldest_seconds=max(0.0, at - queued.oldest) if queued else 0.0,
        stored_bytes=stored_bytes(connection),
        hooks_pending=pending,
        hooks_oldest_seconds=max(0.0, at - oldest) if pending else 0.0,
    )
