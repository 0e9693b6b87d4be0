"""What a worker writes. Each function looks first whether the claim still holds, and writes nothing if not."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update

from api_gateway.jobs.job import Claim
from api_gateway.jobs.sql.accounts import add_bytes, count_page, shard
from api_gateway.jobs.sql.clock import now
from api_gateway.jobs.sql.ending import Ends, finish, finish_if_read
from api_gateway.jobs.sql.rows import AnyRow, locked
from api_gateway.jobs.sql.schema import jobs, pages


def renew(connection: Connection, claim: Claim, lease_seconds: float) -> bool:
    row = _held(connection, claim)
    return row is not None and _change(connection, row, lease_until=now(connection) + lease_seconds)


def opened(connection: Connection, ends: Ends, claim: Claim, page_count: int, pages_total: int) -> bool:
    row = _held(connection, claim)
    if row is None:
        return False
    _change(connection, row, page_count=page_count, pages_total=pages_total)
    finish_if_read(connection, ends, _again(connection, row))
    return True


def begin_page(connection: Connection, claim: Claim, number: int) -> bool:
    row = _held(connection, claim)
    return row is not None and _change(connection, row, begun=number)


def add_page(
    connection: Connection,
    ends: Ends,
    claim: Claim,
    number: int,
    line: bytes,
    failed: bool,
    lease_seconds: float,
) -> bool:
    """`line` is compressed."""
    row = _held(connection, claim)
    if row is None:
        return False
    if (
        connection.scalar(select(pages.c.number).where(pages.c.job == row.id, pages.c.number == number))
        is not None
    ):
        return True
    at = now(connection)
    connection.execute(insert(pages).values(job=row.id, number=number, failed=failed, line=line))
    suspects = orjson.loads(row.suspects)
    suspects.pop(str(number), None)
    _change(
        connection,
        row,
        lease_until=at + lease_seconds,
        pages_done=row.pages_done + 1,
        pages_failed=row.pages_failed + failed,
        bytes=row.bytes + len(line),
        progress=True,
        begun=None if row.begun == number else row.begun,
        suspects=orjson.dumps(suspects).decode(),
        careful=bool(suspects),
        blanks=0,
    )
    count_page(connection, row.tenant, row.id, at)
    add_bytes(connection, {(row.tenant, shard(row.id)): len(line)})
    finish_if_read(connection, ends, _again(connection, row))
    return True


def fail(connection: Connection, ends: Ends, claim: Claim, code: str, detail: str) -> bool:
    row = _held(connection, claim)
    if row is not None:
        finish(connection, ends, row.id, "failed", code=code, detail=detail)
    return row is not None


def release(connection: Connection, claim: Claim, seconds: float) -> bool:
    row = _held(connection, claim)
    if row is None:
        return False
    not_before = now(connection) + seconds if seconds else 0.0
    return _change(
        connection, row, state="queued", owner=None, lease_until=None, begun=None, not_before=not_before
    )


def _held(connection: Connection, claim: Claim) -> AnyRow | None:
    """The job, if the claim holds: its lease has not ended, and nobody has claimed or ended the job since."""
    row = locked(
        connection,
        jobs.c.id == claim.job.id,
        jobs.c.state == "running",
        jobs.c.owner == claim.owner,
        jobs.c.claim_number == claim.number,
    )
    return row if row is not None and row.lease_until > now(connection) else None


def _change(connection: Connection, row: AnyRow, **values: Any) -> bool:
    connection.execute(update(jobs).where(jobs.c.id == row.id).values(**values))
    return True


def _again(connection: Connection, row: AnyRow) -> AnyRow:
    return connection.execute(select(jobs).where(jobs.c.id == row.id)).one()
