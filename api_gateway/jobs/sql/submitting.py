"""Handing in: pieces of files, then their jobs, all or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import orjson
from sqlalchemy import Connection, delete, func, insert, select

from api_gateway.errors import IdempotencyMismatch, NoSpace, TooManyJobs
from api_gateway.jobs.job import Job, NewJob, Quotas, order_to_json
from api_gateway.jobs.sql.accounts import NOBODY, add_bytes, shard, stored_bytes
from api_gateway.jobs.sql.claiming import blocked_tenants
from api_gateway.jobs.sql.clock import SUBMIT, lock, now
from api_gateway.jobs.sql.ending import erase
from api_gateway.jobs.sql.reading import with_positions
from api_gateway.jobs.sql.rows import AnyRow, locked
from api_gateway.jobs.sql.schema import inputs, jobs

_RETRY_SECONDS = 10


def put_piece(connection: Connection, job_id: str, number: int, piece: bytes, most_bytes: int) -> None:
    _check_space(connection, len(piece), most_bytes)
    _put(connection, job_id, number, piece)
    add_bytes(connection, {(NOBODY, shard(job_id)): len(piece)})


def drop_pieces(connection: Connection, job_id: str) -> None:
    """Remove pieces, unless their job was submitted."""
    sizes = _locked_sizes(connection, job_id)
    # A statement of its own: it sees a job that was submitted while this one waited for the lock.
    if sizes and connection.scalar(select(jobs.c.id).where(jobs.c.id == job_id)) is None:
        connection.execute(delete(inputs).where(inputs.c.job == job_id))
        add_bytes(connection, {(NOBODY, shard(job_id)): -sum(sizes)})


def submit(
    connection: Connection, new: Sequence[NewJob], quotas: Quotas, last: dict[str, tuple[int, bytes]]
) -> list[Job]:
    for tenant in sorted({job.tenant for job in new}):
        lock(connection, SUBMIT, tenant)
    at = now(connection)
    known = {job.id: row for job in new if (row := _known(connection, job, at)) is not None}
    added = [job for job in new if job.id not in known]
    _check_quotas(connection, added, quotas, last)
    least = _least_turn(connection, quotas, at)
    ids = []
    changes: Counter[tuple[str, int]] = Counter()  # of stored bytes
    for job in new:
        # The same key may be in the list twice.
        found = known.get(job.id) or _known(connection, job, at)
        pieces = sum(_locked_sizes(connection, job.id))
        changes[NOBODY, shard(job.id)] -= pieces
        if found is None:
            _add(connection, job, at, least, pieces, last.get(job.id))
            changes[job.tenant, shard(job.id)] += job.size
        else:
            connection.execute(delete(inputs).where(inputs.c.job == job.id))
        ids.append(job.id if found is None else found.id)
    add_bytes(connection, changes)
    found_jobs = with_positions(connection, ids)
    return [found_jobs[job_id] for job_id in ids]


def _known(connection: Connection, job: NewJob, at: float) -> AnyRow | None:
    """The job with this one's idempotency key; an expired one is removed.

    Raises:
        IdempotencyMismatch.
    """
    if job.idempotency_key is None:
        return None
    query = select(jobs).where(jobs.c.tenant == job.tenant, jobs.c.idempotency_key == job.idempotency_key)
    row = connection.execute(query).first()
    if row is not None and row.expires is not None and row.expires <= at:
        expired = locked(connection, jobs.c.id == row.id)
        if expired is not None:  # the sweep may have been first
            erase(connection, [expired])
        return None
    if row is not None and row.fingerprint != job.fingerprint:
        raise IdempotencyMismatch
    return row


def _check_quotas(
    connection: Connection, added: Sequence[NewJob], quotas: Quotas, last: dict[str, tuple[int, bytes]]
) -> None:
    for tenant, count in Counter(job.tenant for job in added).items():
        queued = select(func.count()).where(jobs.c.tenant == tenant, jobs.c.state == "queued")
        if (connection.scalar(queued) or 0) + count > quotas.queued:
            raise TooManyJobs(
                f"This API key may have {quotas.queued} queued jobs. Try again later.", retry_after=_RETRY_SECONDS
            )
        size = sum(job.size for job in added if job.tenant == tenant)
        if stored_bytes(connection, tenant) + size > quotas.tenant_bytes:
            raise TooManyJobs(
                f"This API key may store {quotas.tenant_bytes >> 20} MiB of files and pages. "
                "Delete jobs that are no longer needed.",
                retry_after=_RETRY_SECONDS,
            )
    _check_space(connection, sum(len(last[job.id][1]) for job in added if job.id in last), quotas.store_bytes)


def _check_space(connection: Connection, more_bytes: int, most_bytes: int) -> None:
    if stored_bytes(connection) + more_bytes > most_bytes:
        raise NoSpace(retry_after=_RETRY_SECONDS)


def _least_turn(connection: Connection, quotas: Quotas, at: float) -> int:
    """The least turn of a queued job that could be claimed now; if there is none, of all queued jobs; else 0.

    A job that waits for its tenant's quota does not count: its turn may be long past, and a new tenant that got it
    would be served before those whose turn it is.
    """
    queued = select(func.min(jobs.c.turn)).where(jobs.c.state == "queued")
    claimable = jobs.c.not_before <= at, jobs.c.tenant.not_in(blocked_tenants(connection, quotas, at))
    found = connection.scalar(queued.where(*claimable))
    return int((connection.scalar(queued) or 0) if found is None else found)


def _add(
    connection: Connection, job: NewJob, at: float, least: int, pieces_bytes: int, last: tuple[int, bytes] | None
) -> None:
    own = select(func.max(jobs.c.turn)).where(jobs.c.tenant == job.tenant, jobs.c.state == "queued")
    own_turn = connection.scalar(own)
    if last is not None:
        _put(connection, job.id, *last)
    size = pieces_bytes + (len(last[1]) if last else 0)
    if size != job.size:
        raise ValueError(f"the pieces of job {job.id} have {size} bytes, its file has {job.size}")
    row = {
        "id": job.id,
        "tenant": job.tenant,
        "batch": job.batch,
        "idempotency_key": job.idempotency_key,
        "fingerprint": job.fingerprint,
        "state": "queued",
        "turn": least if own_turn is None else max(least, own_turn + 1),
        "options": orjson.dumps(order_to_json(job.order)).decode(),
        "kind": job.kind,
        "size": job.size,
        "password": job.password,
        "dpi": job.dpi,
        "bytes": size,
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
        "created": at,
    }
    connection.execute(insert(jobs).values(**row))


def _put(connection: Connection, job_id: str, number: int, piece: bytes) -> None:
    row = {"job": job_id, "number": number, "size": len(piece), "created": now(connection), "piece": piece}
    connection.execute(insert(inputs).values(**row))


def _locked_sizes(connection: Connection, job_id: str) -> list[int]:
    """The sizes of the stored pieces of a file, which no other transaction removes meanwhile."""
    return [*connection.scalars(select(inputs.c.size).where(inputs.c.job == job_id).with_for_update())]
