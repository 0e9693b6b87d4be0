"""What clients ask. Nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, tuple_

from api_gateway.errors import BadParameter
from api_gateway.jobs.job import Job, State
from api_gateway.jobs.sql.rows import ALIVE, IN_TURN, JOB, POSITION, QUEUED, job_of
from api_gateway.jobs.sql.schema import inputs, jobs, pages

_FEW = 3  # for more jobs than this, the whole queue is numbered at once
_IDS_AT_ONCE = 500


def job(connection: Connection, tenant: str, job_id: str) -> Job | None:
    query = select(*JOB, POSITION).where(jobs.c.id == job_id, jobs.c.tenant == tenant, ALIVE)
    row = connection.execute(query).first()
    return None if row is None else job_of(row)


def by_idempotency_key(connection: Connection, tenant: str, key: str) -> tuple[Job, str] | None:
    query = select(*JOB, POSITION, jobs.c.fingerprint)
    row = connection.execute(query.where(jobs.c.tenant == tenant, jobs.c.idempotency_key == key, ALIVE)).first()
    return None if row is None else (job_of(row), row.fingerprint)


def with_positions(connection: Connection, ids: Sequence[str]) -> dict[str, Job]:
    if len(ids) <= _FEW:
        query = select(*JOB, POSITION).where(jobs.c.id.in_(ids))
    else:
        number = (func.row_number().over(order_by=IN_TURN) - 1).label("position")
        queue = select(jobs.c.id, number).where(QUEUED).subquery()
        with_queue = jobs.outerjoin(queue, jobs.c.id == queue.c.id)
        query = select(*JOB, queue.c.position).select_from(with_queue).where(jobs.c.id.in_(ids))
    return {row.id: job_of(row) for row in connection.execute(query)}


def watch(connection: Connection, ids: Sequence[str]) -> dict[str, Job]:
    found: dict[str, Job] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        query = select(*JOB).where(jobs.c.id.in_(ids[start : start + _IDS_AT_ONCE]), ALIVE)
        found |= {row.id: job_of(row) for row in connection.execute(query)}
    return found


def list_jobs(
    connection: Connection, tenant: str, states: Sequence[State], batch: str | None, limit: int, after: str | None
) -> list[Job]:
    newest_first = jobs.c.created.desc(), jobs.c.id.desc()
    query = select(*JOB).where(jobs.c.tenant == tenant, ALIVE).order_by(*newest_first).limit(limit)
    if states:
        query = query.where(jobs.c.state.in_(states))
    if batch is not None:
        query = query.where(jobs.c.batch == batch)
    if after is not None:
        place = select(jobs.c.created).where(jobs.c.id == after, jobs.c.tenant == tenant)
        created = connection.scalar(place)
        if created is None:
            raise BadParameter("after: there is no such job.")
        query = query.where(tuple_(jobs.c.created, jobs.c.id) < tuple_(created, after))
    return [job_of(row) for row in connection.execute(query)]


def page_numbers(connection: Connection, job_id: str) -> list[int]:
    return [*connection.scalars(select(pages.c.number).where(pages.c.job == job_id).order_by(pages.c.number))]


def lines(connection: Connection, job_id: str, numbers: Sequence[int]) -> dict[int, tuple[bytes, bool]]:
    """The compressed line of each page that is stored, and whether the page failed."""
    query = select(pages.c.number, pages.c.line, pages.c.failed)
    rows = connection.execute(query.where(pages.c.job == job_id, pages.c.number.in_(numbers)))
    return {row.number: (row.line, row.failed) for row in rows}


def pieces(connection: Connection, job_id: str) -> int:
    """How many pieces the file has."""
    return connection.scalar(select(func.count()).where(inputs.c.job == job_id)) or 0


def piece(connection: Connection, job_id: str, number: int) -> bytes | None:
    query = select(inputs.c.piece).where(inputs.c.job == job_id, inputs.c.number == number)
    return connection.scalar(query)
