"""Handing in: pieces of files, then their jobs, all or none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select

from api_gateway.errors import IdempotencyMismatch, NoSpace, TooManyJobs
from api_gateway.jobs.job import Job, NewJob, Quotas, order_to_json
from api_gateway.jobs.sql.accounts import NOBODY, STORED_BYTES, add_bytes, shard
from api_gateway.jobs.sql.claiming import claimable, limits
from api_gateway.jobs.sql.clock import SUBMIT, Now, lock
from api_gateway.jobs.sql.drivers import RETRY_SECONDS
from api_gateway.jobs.sql.ending import erase
from api_gateway.jobs.sql.reading import with_positions
from api_gateway.jobs.sql.rows import LOCKED, QUEUE, QUEUED, AnyRow
from api_gateway.jobs.sql.schema import inputs, jobs, stored

Last = dict[str, tuple[int, bytes]]

_PUT = insert(inputs).values(created=Now())
_ADD = insert(jobs).values(created=Now())
_SIZES = (
    select(inputs.c.job, inputs.c.size)
    .where(inputs.c.job.in_(bindparam("ids", expanding=True)))
    .order_by(inputs.c.job, inputs.c.number)
    .with_for_update()
)
_KEY = jobs.c.tenant == bindparam("tenant"), jobs.c.idempotency_key == bindparam("key")
_KNOWN = select(jobs.c.id, jobs.c.fingerprint, (jobs.c.expires <= Now()).label("expired")).where(*_KEY)
_GONE = LOCKED.where(*_KEY)


def put_piece(connection: Connection, job_id: str, number: int, piece: bytes, most_bytes: int) -> None:
    if (connection.scalar(STORED_BYTES) or 0) + len(piece) > most_bytes:
        raise NoSpace(retry_after=RETRY_SECONDS)
    _put(connection, {job_id: (number, piece)})
    add_bytes(connection, {(NOBODY, shard(job_id)): len(piece)})


def drop_pieces(connection: Connection, job_id: str) -> None:
    """Remove pieces, unless their job was submitted."""
    sizes = _sizes(connection, [job_id])
    # A statement of its own: it sees a job that was submitted while this one waited for the lock.
    if sizes and connection.scalar(select(jobs.c.id).where(jobs.c.id == job_id)) is None:
        connection.execute(delete(inputs).where(inputs.c.job == job_id))
        add_bytes(connection, {(NOBODY, shard(job_id)): -sizes[job_id]})


def submit(connection: Connection, new: Sequence[NewJob], quotas: Quotas, last: Last) -> list[Job]:
    tenants = sorted({job.tenant for job in new})
    for tenant in tenants:
        lock(connection, SUBMIT, tenant)
    ids = _ids(connection, new)
    added = [job for job in new if ids[job.id] == job.id]
    turns, in_store = {}, 0
    for tenant in tenants:
        turns[tenant], in_store = _check_quotas(connection, tenant, added, quotas)
    sizes = _sizes(connection, [job.id for job in new if job.id not in last or last[job.id][0] > 0])
    changes: Counter[tuple[str, int]] = Counter()
    for job in new:
        changes[NOBODY, shard(job.id)] -= sizes[job.id]
    if added:
        _add(connection, added, turns, sizes, last, changes)
    known = [job.id for job in new if ids[job.id] != job.id]
    if any(sizes[job_id] for job_id in known):
        connection.execute(delete(inputs).where(inputs.c.job.in_(known)))
    if in_store + sum(changes.values()) > quotas.store_bytes:
        raise NoSpace(retry_after=RETRY_SECONDS)
    add_bytes(connection, changes)
    found = with_positions(connection, [*ids.values()])
    return [found[ids[job.id]] for job in new]


def _ids(connection: Connection, new: Sequence[NewJob]) -> dict[str, str]:
    """For each new job its id, or that of the job that its tenant has with its idempotency key.

    Raises:
        IdempotencyMismatch.
    """
    known: dict[tuple[str, str], tuple[str, str]] = {}  # id and fingerprint
    ids = {}
    for job in new:
        ids[job.id] = job.id
        if job.idempotency_key is None:
            continue
        key = job.tenant, job.idempotency_key
        if key not in known and (row := _known(connection, *key)) is not None:
            known[key] = row.id, row.fingerprint
        ids[job.id], fingerprint = known.setdefault(key, (job.id, job.fingerprint))
        if fingerprint != job.fingerprint:
            raise IdempotencyMismatch
    return ids


def _known(connection: Connection, tenant: str, key: str) -> AnyRow | None:
    """The job with this idempotency key; an expired one is removed."""
    mine = {"tenant": tenant, "key": key}
    row = connection.execute(_KNOWN, mine).first()
    if row is None or not row.expired:
        return row
    gone = connection.execute(_GONE, mine).first()
    if gone is not None:  # the sweep may have been first
        erase(connection, [gone])
    return None


def _check_quotas(connection: Connection, tenant: str, added: Sequence[NewJob], quotas: Quotas) -> tuple[int, int]:
    """The turn of the tenant's next job, and the stored bytes of all tenants."""
    mine = [job for job in added if job.tenant == tenant]
    row = connection.execute(_quotas(quotas.pages_a_minute > 0), {"tenant": tenant, **limits(quotas)}).one()
    if mine and row.queued + len(mine) > quotas.queued:
        raise TooManyJobs(
            f"This API key may have {quotas.queued} queued jobs. Try again later.", retry_after=RETRY_SECONDS
        )
    if mine and row.bytes + sum(job.size for job in mine) > quotas.tenant_bytes:
        raise TooManyJobs(
            f"This API key may store {quotas.tenant_bytes >> 20} MiB of files and pages. "
            "Delete jobs that are no longer needed.",
            retry_after=RETRY_SECONDS,
        )
    return max(row.least, row.turn + 1), row.in_store


@cache
def _quotas(is_limited: bool) -> Select[Any]:
    """What the tenant has, its last turn or -1, and the least turn of a queued job that could be claimed now.

    If no job could, the least of all queued jobs; else 0. A job that waits for its tenant's quota does not count:
    its turn may be long past, and a new tenant that got it would be served before those whose turn it is.
    """
    own = jobs.c.tenant == bindparam("tenant"), QUEUED
    last = select(func.max(jobs.c.turn)).where(*own).scalar_subquery()
    least = (
        select(jobs.c.turn).with_hint(*QUEUE).where(condition).order_by(jobs.c.turn).limit(1).scalar_subquery()
        for condition in (claimable(is_limited), QUEUED)
    )
    return select(
        select(func.count()).where(*own).scalar_subquery().label("queued"),
        func.coalesce(last, -1).label("turn"),
        STORED_BYTES.where(stored.c.tenant == bindparam("tenant")).scalar_subquery().label("bytes"),
        STORED_BYTES.scalar_subquery().label("in_store"),
        func.coalesce(*least, 0).label("least"),
    )


def _add(
    connection: Connection,
    added: Sequence[NewJob],
    turns: dict[str, int],
    sizes: dict[str, int],
    last: Last,
    changes: Counter[tuple[str, int]],
) -> None:
    """Insert jobs with their last pieces; `sizes` are those of the pieces that are stored, by job."""
    pieces = {job.id: last[job.id] for job in added if job.id in last}
    if pieces:
        _put(connection, pieces)
    rows = []
    for job in added:
        size = sizes[job.id] + (len(pieces[job.id][1]) if job.id in pieces else 0)
        if size != job.size:
            raise ValueError(f"the pieces of job {job.id} have {size} bytes, its file has {job.size}")
        changes[job.tenant, shard(job.id)] += size
        rows.append(_row(job, turns[job.tenant]))
        turns[job.tenant] += 1
    connection.execute(_ADD, rows)


def _row(job: NewJob, turn: int) -> dict[str, Any]:
    return {
        "id": job.id,
        "tenant": job.tenant,
        "batch": job.batch,
        "idempotency_key": job.idempotency_key,
        "fingerprint": job.fingerprint,
        "state": "queued",
        "turn": turn,
        "options": orjson.dumps(order_to_json(job.order)).decode(),
        "kind": job.kind,
        "size": job.size,
        "password": job.password,
        "dpi": job.dpi,
        "bytes": job.size,
        "page_count": 1 if job.kind == "picture" else None,
        "pages_total": 1 if job.kind == "picture" else None,
        "pages_done": 0,
        "pages_failed": 0,
        "not_before": 0.0,
        "claim_number": 0,
        "progress": False,
        "suspects": "{}",
        "careful": False,
        "attempts": 0,
        "blanks": 0,
        "webhook_url": job.webhook_url,
        "result_url": job.result_url,
        "ttl_seconds": job.ttl_seconds,
        "trace": job.trace,
    }


def _put(connection: Connection, pieces: Last) -> None:
    rows = [
        {"job": job_id, "number": number, "size": len(piece), "piece": piece}
        for job_id, (number, piece) in pieces.items()
    ]
    connection.execute(_PUT, rows)


def _sizes(connection: Connection, ids: Sequence[str]) -> defaultdict[str, int]:
    """The bytes of the stored pieces of each job, which no other transaction removes meanwhile."""
    sizes: defaultdict[str, int] = defaultdict(int)
    if not ids:
        return sizes
    for row in connection.execute(_SIZES, {"ids": ids}):
        sizes[row.job] += row.size
    return sizes
