"""What clients ask. Nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, select, tuple_

from api_gateway.errors import BadParameter
from api_gateway.jobs.job import Job, State
from api_gateway.jobs.sql.rows import ALIVE, IN_TURN, JOB, POSITION, QUEUED, job_of
from api_gateway.jobs.sql.schema import inputs, jobs, pages


def _with_queue() -> Select[Any]:
    number = (func.row_number().over(order_by=IN_TURN) - 1).label("position")
    queue = select(jobs.c.id, number).where(QUEUED).subquery()
    return select(*JOB, queue.c.position).select_from(jobs.outerjoin(queue, jobs.c.id == queue.c.id))


_ID: BindParameter[str] = bindparam("job_id")
_IDS: BindParameter[Sequence[str]] = bindparam("ids", expanding=True)
_TENANT: BindParameter[str] = bindparam("tenant")
_ONE = select(*JOB, POSITION).where(jobs.c.id == _ID, jobs.c.tenant == _TENANT, ALIVE)
_OF_KEY = select(*JOB, POSITION, jobs.c.fingerprint).where(
    jobs.c.tenant == _TENANT, jobs.c.idempotency_key == bindparam("key"), ALIVE
)
_WITH_POSITION = select(*JOB, POSITION).where(jobs.c.id.in_(_IDS))
_WITH_QUEUE = _with_queue().where(jobs.c.id.in_(_IDS))
_WATCH = select(*JOB).where(jobs.c.id.in_(_IDS), ALIVE)
_NUMBERS = select(pages.c.number).where(pages.c.job == _ID).order_by(pages.c.number)
_LINES = select(pages.c.number, pages.c.line, pages.c.failed).where(
    pages.c.job == _ID, pages.c.number.in_(bindparam("numbers", expanding=True))
)
_PIECES = select(func.count()).where(inputs.c.job == _ID).scalar_subquery()
_PIECE = select(inputs.c.piece, _PIECES).where(inputs.c.job == _ID, inputs.c.number == bindparam("piece_number"))

_FEW = 3  # for more jobs than this, the whole queue is numbered at once
_IDS_AT_ONCE = 500


def job(connection: Connection, tenant: str, job_id: str) -> Job | None:
    row = connection.execute(_ONE, {"job_id": job_id, "tenant": tenant}).first()
    return None if row is None else job_of(row)


def by_idempotency_key(connection: Connection, tenant: str, key: str) -> tuple[Job, str] | None:
    row = connection.execute(_OF_KEY, {"tenant": tenant, "key": key}).first()
    return None if row is None else (job_of(row), row.fingerprint)


def with_positions(connection: Connection, ids: Sequence[str]) -> dict[str, Job]:
    rows = connection.execute(_WITH_POSITION if len(ids) <= _FEW else _WITH_QUEUE, {"ids": ids})
    return {row.id: job_of(row) for row in rows}


def watch(connection: Connection, ids: Sequence[str]) -> dict[str, Job]:
    found: dict[str, Job] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        rows = connection.execute(_WATCH, {"ids": ids[start : start + _IDS_AT_ONCE]})
        found |= {row.id: job_of(row) for row in rows}
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
    return [*connection.scalars(_NUMBERS, {"job_id": job_id})]


def lines(connection: Connection, job_id: str, numbers: Sequence[int]) -> dict[int, tuple[bytes, bool]]:
    """The compressed line of each page that is stored, and whether the page failed."""
    rows = connection.execute(_LINES, {"job_id": job_id, "numbers": numbers})
    return {row.number: (row.line, row.failed) for row in rows}


def piece(connection: Connection, job_id: str, number: int) -> tuple[bytes, int] | None:
    """A piece of the file, and how many pieces the file has."""
    row = connection.execute(_PIECE, {"job_id": job_id, "piece_number": number}).first()
    return None if row is None else (row[0], row[1])
