"""Whose turn it is, and what the loss of a worker means for its job."""

from __future__ import annotations

import zlib

import orjson
from sqlalchemy import ColumnElement, Connection, and_, func, insert, literal, select, true, update

from api_gateway.answer import failed_page
from api_gateway.errors import DOCUMENT_KILLS_WORKER, WORKER_LOST
from api_gateway.formats import ndjson
from api_gateway.jobs.job import Claim, Quotas
from api_gateway.jobs.sql.accounts import MINUTE, add_bytes, shard
from api_gateway.jobs.sql.clock import CLAIM, Now, lock
from api_gateway.jobs.sql.ending import Ends, finish, finish_if_read
from api_gateway.jobs.sql.rows import IN_TURN, JOB, QUEUE, QUEUED, RUNNING, AnyRow, job_of
from api_gateway.jobs.sql.schema import jobs, pages, usage
from service_kit.errors import ServiceError

_LOSSES_OF_A_PAGE = 2
_LOSSES_OF_A_DOCUMENT = 3


def claim(connection: Connection, ends: Ends, owner: str, lease_seconds: float, quotas: Quotas) -> Claim | None:
    # One claim at a time, because the running jobs of a tenant are counted.
    lock(connection, CLAIM)
    while (row := _lost(connection, quotas) or _next(connection, quotas)) is not None:
        if row.state == "running" and _count_loss(connection, ends, row):
            continue  # the loss ended the job
        taken = {
            "state": "running",
            "owner": owner,
            "lease_until": Now() + lease_seconds,
            "claim_number": jobs.c.claim_number + 1,
            "progress": False,
            "begun": None,
            "started": func.coalesce(jobs.c.started, Now()),
        }
        mine = update(jobs).where(jobs.c.id == row.id).values(**taken)
        found = connection.execute(mine.returning(*JOB, jobs.c.careful, jobs.c.claim_number)).one()
        stored = (
            connection.scalars(select(pages.c.number).where(pages.c.job == row.id)) if found.pages_done else ()
        )
        return Claim(job_of(found), owner, found.claim_number, found.careful, frozenset(stored))
    return None


def claimable(quotas: Quotas) -> ColumnElement[bool]:
    """Queued, not let go a moment ago, and its tenant may have one more running."""
    running = select(jobs.c.tenant).where(RUNNING).group_by(jobs.c.tenant).having(func.count() >= quotas.running)
    return and_(QUEUED, jobs.c.not_before <= Now(), jobs.c.tenant.not_in(running), _may_read(quotas))


def _may_read(quotas: Quotas, tenant: ColumnElement[str] = jobs.c.tenant) -> ColumnElement[bool]:
    """The tenant has pages left in this minute."""
    read = select(usage.c.tenant).where(usage.c.minute == MINUTE).group_by(usage.c.tenant)
    used_up = read.having(func.sum(usage.c.pages) >= quotas.pages_a_minute)
    return tenant.not_in(used_up) if quotas.pages_a_minute else true()


def may_read(connection: Connection, tenant: str, quotas: Quotas) -> bool:
    return bool(connection.scalar(select(_may_read(quotas, literal(tenant)))))


def _lost(connection: Connection, quotas: Quotas) -> AnyRow | None:
    """A job whose lease has ended. Its tenant's running jobs are as many as before."""
    query = select(jobs).where(RUNNING, jobs.c.lease_until <= Now(), _may_read(quotas))
    first = query.order_by(jobs.c.lease_until).limit(1).with_for_update(skip_locked=True)
    return connection.execute(first).first()


def _next(connection: Connection, quotas: Quotas) -> AnyRow | None:
    first = select(jobs).with_hint(*QUEUE).where(claimable(quotas)).order_by(*IN_TURN).limit(1)
    return connection.execute(first.with_for_update(skip_locked=True)).first()


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
        "pages_done": jobs.c.pages_done + 1,
        "pages_failed": jobs.c.pages_failed + 1,
        "bytes": jobs.c.bytes + len(line),
        "blanks": 0,
    }
    with_it = update(jobs).where(jobs.c.id == row.id).values(**counted).returning(jobs)
    found = connection.execute(with_it).one()
    add_bytes(connection, {(row.tenant, shard(row.id)): len(line)})
    return finish_if_read(connection, ends, found)
