"""Whose turn it is, and what the loss of a worker means for its job."""

from __future__ import annotations

import zlib

import orjson
from sqlalchemy import Connection, func, insert, select, update

from api_gateway.answer import failed_page
from api_gateway.errors import DOCUMENT_KILLS_WORKER, WORKER_LOST
from api_gateway.formats import ndjson
from api_gateway.jobs.job import Claim, Quotas
from api_gateway.jobs.sql.accounts import add_bytes, minute, shard
from api_gateway.jobs.sql.clock import CLAIM, lock, now
from api_gateway.jobs.sql.ending import Ends, finish, finish_if_read
from api_gateway.jobs.sql.rows import IN_TURN, JOB, AnyRow, job_of
from api_gateway.jobs.sql.schema import jobs, pages, usage
from service_kit.errors import ServiceError

_LOSSES_OF_A_PAGE = 2
_LOSSES_OF_A_DOCUMENT = 3


def claim(connection: Connection, ends: Ends, owner: str, lease_seconds: float, quotas: Quotas) -> Claim | None:
    # One claim at a time, because the running jobs of a tenant are counted.
    lock(connection, CLAIM)
    at = now(connection)
    while (row := _lost(connection, quotas, at) or _next(connection, quotas, at)) is not None:
        if row.state == "running" and _count_loss(connection, ends, row):
            continue  # the loss ended the job
        taken = {
            "state": "running",
            "owner": owner,
            "lease_until": at + lease_seconds,
            "claim_number": row.claim_number + 1,
            "progress": False,
            "begun": None,
            "started": at if row.started is None else row.started,
        }
        connection.execute(update(jobs).where(jobs.c.id == row.id).values(**taken))
        query = select(*JOB, jobs.c.careful, jobs.c.claim_number).where(jobs.c.id == row.id)
        found = connection.execute(query).one()
        stored = connection.scalars(select(pages.c.number).where(pages.c.job == row.id))
        return Claim(job_of(found), owner, found.claim_number, found.careful, frozenset(stored))
    return None


def blocked_tenants(connection: Connection, quotas: Quotas, at: float) -> set[str]:
    """Those whose queued jobs must wait: they have their maximum of running jobs, or of pages in this minute."""
    running = select(jobs.c.tenant).where(jobs.c.state == "running").group_by(jobs.c.tenant)
    return _without_pages(connection, quotas, at) | {
        *connection.scalars(running.having(func.count() >= quotas.running))
    }


def _without_pages(connection: Connection, quotas: Quotas, at: float) -> set[str]:
    if not quotas.pages_a_minute:
        return set()
    read = select(usage.c.tenant).where(usage.c.minute == minute(at)).group_by(usage.c.tenant)
    return {*connection.scalars(read.having(func.sum(usage.c.pages) >= quotas.pages_a_minute))}


def _lost(connection: Connection, quotas: Quotas, at: float) -> AnyRow | None:
    """A job whose lease has ended. Its tenant's running jobs are as many as before."""
    query = (
        select(jobs)
        .where(jobs.c.state == "running", jobs.c.lease_until <= at)
        .where(jobs.c.tenant.not_in(_without_pages(connection, quotas, at)))
        .order_by(jobs.c.lease_until)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).first()


def _next(connection: Connection, quotas: Quotas, at: float) -> AnyRow | None:
    query = (
        select(jobs)
        .where(jobs.c.state == "queued", jobs.c.not_before <= at)
        .where(jobs.c.tenant.not_in(blocked_tenants(connection, quotas, at)))
        .order_by(*IN_TURN)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).first()


def _count_loss(connection: Connection, ends: Ends, row: AnyRow) -> bool:
    """Note that the worker of this job was lost; True if that ended the job."""
    if not row.progress:
        blanks = row.blanks + (row.begun is None)
        lost = {"attempts": row.attempts + 1, "blanks": blanks, "careful": True}
        connection.execute(update(jobs).where(jobs.c.id == row.id).values(**lost))
        if blanks >= _LOSSES_OF_A_DOCUMENT:
            detail = f"{blanks} workers ended while they read the document, before its first page."
            finish(connection, ends, row.id, "failed", code=DOCUMENT_KILLS_WORKER, detail=detail)
            return True
    if row.begun is None:
        return False
    suspects = orjson.loads(row.suspects)
    losses = suspects.pop(str(row.begun), 0) + 1
    if losses < _LOSSES_OF_A_PAGE:
        suspects[str(row.begun)] = losses
    noted = {"suspects": orjson.dumps(suspects).decode(), "careful": True}
    connection.execute(update(jobs).where(jobs.c.id == row.id).values(**noted))
    return losses >= _LOSSES_OF_A_PAGE and _fail_page(connection, ends, row)


def _fail_page(connection: Connection, ends: Ends, row: AnyRow) -> bool:
    """Store the page that ended its workers as failed; True if it was the last one."""
    failure = ServiceError(f"{_LOSSES_OF_A_PAGE} workers ended while they read the page.")
    failure.code = WORKER_LOST
    line = zlib.compress(ndjson.line(failed_page(row.begun, failure, attempts=_LOSSES_OF_A_PAGE)))
    connection.execute(insert(pages).values(job=row.id, number=row.begun, failed=True, line=line))
    counted = {
        "pages_done": row.pages_done + 1,
        "pages_failed": row.pages_failed + 1,
        "bytes": row.bytes + len(line),
        "blanks": 0,
    }
    connection.execute(update(jobs).where(jobs.c.id == row.id).values(**counted))
    add_bytes(connection, {(row.tenant, shard(row.id)): len(line)})
    return finish_if_read(connection, ends, connection.execute(select(jobs).where(jobs.c.id == row.id)).one())
