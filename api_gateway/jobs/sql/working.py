"""What a worker writes. Each function looks first whether the claim still holds, and writes nothing if not."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, update

from api_gateway.jobs.job import Claim
from api_gateway.jobs.sql.accounts import add_bytes, count_page, insert_once, shard
from api_gateway.jobs.sql.clock import Now
from api_gateway.jobs.sql.ending import Ends, finish, finish_if_read
from api_gateway.jobs.sql.rows import RUNNING, AnyRow, locked
from api_gateway.jobs.sql.schema import jobs, pages


def renew(connection: Connection, claim: Claim, lease_seconds: float) -> bool:
    return _change(connection, claim, lease_until=Now() + lease_seconds) is not None


def opened(connection: Connection, ends: Ends, claim: Claim, page_count: int, pages_total: int) -> bool:
    row = _change(connection, claim, page_count=page_count, pages_total=pages_total)
    if row is not None:
        finish_if_read(connection, ends, row)
    return row is not None


def begin_page(connection: Connection, claim: Claim, number: int) -> bool:
    return _change(connection, claim, begun=number) is not None


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
    row = locked(connection, *_held(claim))
    if row is None:
        return False
    if not insert_once(connection, pages, {"job": row.id, "number": number}, {"failed": failed, "line": line}):
        return True
    suspects = orjson.loads(row.suspects)
    suspects.pop(str(number), None)
    with_page = {
        "lease_until": Now() + lease_seconds,
        "pages_done": row.pages_done + 1,
        "pages_failed": row.pages_failed + failed,
        "bytes": row.bytes + len(line),
        "progress": True,
        "begun": None if row.begun == number else row.begun,
        "suspects": orjson.dumps(suspects).decode(),
        "careful": bool(suspects),
        "blanks": 0,
    }
    found = connection.execute(update(jobs).where(jobs.c.id == row.id).values(**with_page).returning(jobs)).one()
    count_page(connection, row.tenant, row.id, row.at)
    add_bytes(connection, {(row.tenant, shard(row.id)): len(line)})
    finish_if_read(connection, ends, found)
    return True


def fail(connection: Connection, ends: Ends, claim: Claim, code: str, detail: str) -> bool:
    row = locked(connection, *_held(claim))
    if row is not None:
        finish(connection, ends, row.id, "failed", code=code, detail=detail)
    return row is not None


def release(connection: Connection, claim: Claim, seconds: float) -> bool:
    queued = {"state": "queued", "owner": None, "lease_until": None, "begun": None}
    return _change(connection, claim, **queued, not_before=Now() + seconds if seconds else 0.0) is not None


def _held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """The claim holds: its lease has not ended, and nobody has claimed or ended the job since."""
    return (
        jobs.c.id == claim.job.id,
        RUNNING,
        jobs.c.owner == claim.owner,
        jobs.c.claim_number == claim.number,
        jobs.c.lease_until > Now(),
    )


def _change(connection: Connection, claim: Claim, **values: Any) -> AnyRow | None:
    """The changed row; None if the claim does not hold."""
    return connection.execute(update(jobs).where(*_held(claim)).values(**values).returning(jobs)).first()
