"""Whose turn it is, and what the loss of a worker means for its job."""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    func,
    insert,
    select,
    true,
)

from api_gateway.answer import failed_page
from api_gateway.errors import DOCUMENT_KILLS_WORKER, WORKER_LOST
from api_gateway.formats import ndjson
from api_gateway.jobs.job import OPENING, Claim, Quotas
from api_gateway.jobs.sql.accounts import MINUTE, add_bytes, shard
from api_gateway.jobs.sql.clock import CLAIM, Now, lock
from api_gateway.jobs.sql.ending import Ends, finish, finish_if_read
from api_gateway.jobs.sql.rows import IN_TURN, QUEUE, QUEUED, RUNNING, WHOLE, AnyRow, change, job_of
from api_gateway.jobs.sql.schema import jobs, pages, usage
from service_kit.errors import ServiceError

_LOSSES_OF_A_PAGE = 2
_LOSSES_OF_A_DOCUMENT = 3

_MOST_RUNNING: BindParameter[int] = bindparam("most_running", type_=Integer())
_PAGES_A_MINUTE: BindParameter[int] = bindparam("pages_a_minute", type_=Integer())
_STORED = select(pages.c.number).where(pages.c.job == bindparam("job_id"))
_ONE = WHOLE.where(jobs.c.id == bindparam("job_id"))


def claim(connection: Connection, ends: Ends, owner: str, lease_seconds: float, quotas: Quotas) -> Claim | None:
    # One claim at a time, because the running jobs of a tenant are counted.
    lock(connection, CLAIM)
    while (row := _first(connection, quotas)) is not None:
        if row.state == "running":
            if _count_loss(connection, ends, row):
                continue  # the loss ended the job
            row = connection.execute(_ONE, {"job_id": row.id}).one()
        taken = {
            "state": "running",
            "owner": owner,
            "lease_until": row.at + lease_seconds,
            "claim_number": row.claim_number + 1,
            "progress": False,
            "begun": None,
            "started": row.at if row.started is None else row.started,
        }
        change(connection, row.id, taken)
        stored = connection.scalars(_STORED, {"job_id": row.id}) if row.pages_done else ()
        return Claim(job_of(row, taken), owner, row.claim_number + 1, row.careful, frozenset(stored))
    return None


def claimable(is_limited: bool) -> ColumnElement[bool]:
    """Queued, not let go a moment ago, and its tenant may have one more running; parameters: `limits`.

    `is_limited`: tenants have a limit of pages a minute.
    """
    running = select(jobs.c.tenant).where(RUNNING).group_by(jobs.c.tenant).having(func.count() >= _MOST_RUNNING)
    return and_(QUEUED, jobs.c.not_before <= Now(), jobs.c.tenant.not_in(running), _may_read(is_limited))


def limits(quotas: Quotas) -> dict[str, Any]:
    """The parameters of a statement with `claimable`."""
    return {"most_running": quotas.running, "pages_a_minute": quotas.pages_a_minute}


def may_read(connection: Connection, tenant: str, quotas: Quotas) -> bool:
    if not quotas.pages_a_minute:
        return True
    return bool(connection.scalar(_MAY_READ, {"tenant": tenant, **limits(quotas)}))


def _may_read(is_limited: bool, tenant: ColumnElement[str] = jobs.c.tenant) -> ColumnElement[bool]:
    """The tenant has pages left in this minute."""
    read = select(usage.c.tenant).where(usage.c.minute == MINUTE).group_by(usage.c.tenant)
    used_up = read.having(func.sum(usage.c.pages) >= _PAGES_A_MINUTE)
    return tenant.not_in(used_up) if is_limited else true()


_MAY_READ = select(_may_read(True, bindparam("tenant", type_=Text())))


@cache
def _lost(is_limited: bool) -> Select[Any]:
    """A job whose lease has ended. Its tenant's running jobs are as many as before."""
    query = WHOLE.where(RUNNING, jobs.c.lease_until <= Now(), _may_read(is_limited))
    return query.order_by(jobs.c.lease_until).limit(1).with_for_update(skip_locked=True)


@cache
def _next(is_limited: bool) -> Select[Any]:
    query = WHOLE.with_hint(*QUEUE).where(claimable(is_limited))
    return query.order_by(*IN_TURN).limit(1).with_for_update(skip_locked=True)


def _first(connection: Connection, quotas: Quotas) -> AnyRow | None:
    for query in (_lost, _next):
        row = connection.execute(query(quotas.pages_a_minute > 0), limits(quotas)).first()
        if row is not None:
            return row
    return None


def _count_loss(connection: Connection, ends: Ends, row: AnyRow) -> bool:
    """Note that the worker of this job was lost; True if that ended the job."""
    if not row.progress:
        # A careful worker that was lost before it opened the document was not lost by the document.
        blanks = row.blanks + (row.begun == (OPENING if row.careful else None))
        lost = {"attempts": row.attempts + 1, "blanks": blanks, "careful": True}
        change(connection, row.id, lost)
        if blanks >= _LOSSES_OF_A_DOCUMENT:
            detail = f"{blanks} workers ended while they read the document, before its first page."
            finish(connection, ends, row, "failed", code=DOCUMENT_KILLS_WORKER, detail=detail)
            return True
    if row.begun in (None, OPENING):
        return False
    suspects = orjson.loads(row.suspects)
    losses = suspects.pop(str(row.begun), 0) + 1
    if losses < _LOSSES_OF_A_PAGE:
        suspects[str(row.begun)] = losses
    noted = {"suspects": orjson.dumps(suspects).decode(), "careful": True}
    change(connection, row.id, noted)
    return losses >= _LOSSES_OF_A_PAGE and _fail_page(connection, ends, row)


def _fail_page(connection: Connection, ends: Ends, row: AnyRow) -> bool:
    """Store the page that ended its workers as failed; True if it was the last one."""
    failure = ServiceError(f"{_LOSSES_OF_A_PAGE} workers ended while they read the page.")
    failure.code = WORKER_LOST
    line = zlib.compress(ndjson.line(failed_page(row.begun, failure, attempts=_LOSSES_OF_A_PAGE)))
    connection.execute(insert(pages), {"job": row.id, "number": row.begun, "failed": True, "line": line})
    counted = {
        "pages_done": row.pages_done + 1,
        "pages_failed": row.pages_failed + 1,
        "bytes": row.bytes + len(line),
        "blanks": 0,
    }
    add_bytes(connection, {(row.tenant, shard(row.id)): len(line)})
    if finish_if_read(connection, ends, row, **counted):
        return True
    change(connection, row.id, counted)
    return False
