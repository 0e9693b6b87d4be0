"""What a worker writes. Each function looks first whether the claim still holds, and writes nothing if not."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import BindParameter, Connection, Double, bindparam, case, update

from api_gateway.jobs.job import Claim
from api_gateway.jobs.sql.accounts import add_bytes, count_page, insert_once, shard
from api_gateway.jobs.sql.clock import Now
from api_gateway.jobs.sql.ending import Ends, finish, finish_if_read
from api_gateway.jobs.sql.rows import LOCKED, RUNNING, change
from api_gateway.jobs.sql.schema import jobs, pages

_HELD = (
    jobs.c.id == bindparam("claimed_id"),
    RUNNING,
    jobs.c.owner == bindparam("claimed_by"),
    jobs.c.claim_number == bindparam("claimed_as"),
    jobs.c.lease_until > Now(),
)
"""The claim holds: its lease has not ended, and nobody has claimed or ended the job since."""

_SECONDS: BindParameter[float] = bindparam("seconds", type_=Double())
_ROW = LOCKED.where(*_HELD)
_CHANGE = update(jobs).where(*_HELD)
_RENEW = _CHANGE.values(lease_until=Now() + _SECONDS)
_RELEASE = _CHANGE.values(
    state="queued",
    owner=None,
    lease_until=None,
    begun=None,
    not_before=case((_SECONDS > 0, Now() + _SECONDS), else_=0.0),
)


def renew(connection: Connection, claim: Claim, lease_seconds: float) -> bool:
    return connection.execute(_RENEW, _of(claim, seconds=lease_seconds)).rowcount == 1


def opened(connection: Connection, ends: Ends, claim: Claim, page_count: int, pages_total: int) -> bool:
    row = connection.execute(_ROW, _of(claim)).first()
    if row is None:
        return False
    known = {"page_count": page_count, "pages_total": pages_total, "begun": None}
    if not finish_if_read(connection, ends, row, **known):
        change(connection, row.id, known)
    return True


def begin_page(connection: Connection, claim: Claim, number: int) -> bool:
    return connection.execute(_CHANGE, _of(claim, begun=number)).rowcount == 1


def add_page(
    connection: Connection,
    ends: Ends,
    claim: Claim,
    number: int,
    line: bytes,
    failed: bool,
    lease_seconds: float,
    is_counted: bool,
) -> bool:
    """`line` is compressed; `is_counted`: among its tenant's pages of this minute."""
    row = connection.execute(_ROW, _of(claim)).first()
    if row is None:
        return False
    if not insert_once(connection, pages, {"job": row.id, "number": number}, {"failed": failed, "line": line}):
        return True
    suspects = orjson.loads(row.suspects)
    suspects.pop(str(number), None)
    with_page = {
        "lease_until": row.at + lease_seconds,
        "pages_done": row.pages_done + 1,
        "pages_failed": row.pages_failed + failed,
        "bytes": row.bytes + len(line),
        "progress": True,
        "begun": None if row.begun == number else row.begun,
        "suspects": orjson.dumps(suspects).decode(),
        "careful": bool(suspects),
        "blanks": 0,
    }
    if not finish_if_read(connection, ends, row, **with_page):
        change(connection, row.id, with_page)
    if is_counted:
        count_page(connection, row.tenant, row.id, row.at)
    add_bytes(connection, {(row.tenant, shard(row.id)): len(line)})
    return True


def fail(connection: Connection, ends: Ends, claim: Claim, code: str, detail: str) -> bool:
    row = connection.execute(_ROW, _of(claim)).first()
    if row is not None:
        finish(connection, ends, row, "failed", code=code, detail=detail)
    return row is not None


def release(connection: Connection, claim: Claim, seconds: float) -> bool:
    return connection.execute(_RELEASE, _of(claim, seconds=seconds)).rowcount == 1


def _of(claim: Claim, **values: Any) -> dict[str, Any]:
    """The parameters of a statement about this claim."""
    return {"claimed_id": claim.job.id, "claimed_by": claim.owner, "claimed_as": claim.number, **values}
