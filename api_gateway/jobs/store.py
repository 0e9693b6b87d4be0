"""The interface of a store of jobs. `sql_store.py` implements it, for SQLite and for PostgreSQL.

Each method is one transaction, which is on disk when the method returns. Times are the database's. Every method
raises StoreUnavailable if the database does not answer, and each method that adds bytes raises NoSpace if the disk
is full; nothing is kept then. `put_piece` and `submit` raise it also at the store's limit, but pages of jobs that
were accepted are taken beyond it. After StoreUnavailable, a change may have been made or not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Literal, Protocol

from api_gateway.jobs.job import Backlog, Claim, Hook, HookKind, Job, NewJob, Quotas, State, StoredPage

PIECE_BYTES = 1 << 20
"""The size of each piece of a file but the last one."""


class JobStore(Protocol):
    async def open(self) -> None:
        """Connect, and create or migrate the tables, once even if several processes start together.

        Raises:
            StartFailed: this version cannot use the tables, or another process has the folder.
            StoreUnavailable: the first method that finds the database again does the rest.
        """

    async def close(self) -> None: ...

    # -- handing in

    async def put_piece(self, job_id: str, number: int, piece: bytes) -> None:
        """Store a piece of a file before its job is submitted; pieces count from 0."""

    async def drop_pieces(self, job_id: str) -> None:
        """Remove the pieces of a job that was not submitted. `sweep` does the same for those of dead processes."""

    async def submit(
        self, jobs: Sequence[NewJob], quotas: Quotas, last: dict[str, tuple[int, bytes]]
    ) -> list[Job]:
        """Add jobs, all or none. `last`: number and bytes of a last piece by job id, in the same transaction.

        A job whose idempotency key is known to its tenant is not added: the known one is returned in its place
        (its `id` tells), and its pieces are removed. `turn` of a new job is the largest of the least turn that is
        queued and the tenant's own largest queued turn + 1.

        Raises:
            IdempotencyMismatch: the key is known with another fingerprint.
            TooManyJobs: the tenant has its maximum of queued jobs or of stored bytes.
            NoSpace: the store has its maximum of bytes.
        """

    # -- what clients ask; a job of another tenant does not exist

    async def job(self, tenant: str, job_id: str) -> Job | None: ...

    async def by_idempotency_key(self, tenant: str, key: str) -> tuple[Job, str] | None:
        """The job and its fingerprint."""

    async def jobs(
        self, tenant: str, *, states: Sequence[State] = (), batch: str | None = None, limit: int, after: str | None
    ) -> list[Job]:
        """The newest first, without `position`; `after` is the id of the last job of the page before."""

    async def remove(self, tenant: str, job_id: str) -> Literal["cancelled", "removed"] | None:
        """Cancel a job without a final state (with its webhook), remove one that has; None: no such job."""

    async def watch(self, job_ids: Iterable[str]) -> dict[str, Job]:
        """These jobs, without `position`; those that no longer exist are missing. One call for all listeners."""

    async def page_numbers(self, job_id: str) -> list[int]:
        """The stored pages, in ascending order."""

    def pages(self, job_id: str, numbers: Sequence[int]) -> AsyncIterator[StoredPage]:
        """Stored pages in the given order; a few at a time are read from the database."""

    def file(self, job_id: str) -> AsyncIterator[bytes]:
        """The file, piece by piece."""

    # -- what a worker does; False from these means that the claim no longer holds, and nothing was written

    async def claim(self, owner: str, lease_seconds: float, quotas: Quotas) -> Claim | None:
        """Take a job: one whose lease has ended first, else the next in turn whose tenant may have more running.

        A job whose lease has ended without a page having been stored counts one more attempt. A page that was
        noted as begun by two lost claims is stored as failed with `worker_lost`. After three lost claims without
        any page noted or stored, the job fails with `document_kills_worker`, and the next job is looked at.
        """

    async def renew(self, claim: Claim, lease_seconds: float) -> bool: ...

    async def opened(self, claim: Claim, page_count: int, pages_total: int) -> bool:
        """The file has `page_count` pages, and `pages_total` of them are asked for."""

    async def begin_page(self, claim: Claim, number: int) -> bool:
        """A careful worker begins this page."""

    async def add_page(self, claim: Claim, page: StoredPage, lease_seconds: float) -> bool:
        """Store a page and renew the lease; with the last page the job gets its final state and its webhook.

        Final states: complete; partial if some pages failed; failed with code `pages_failed` if all did.
        """

    async def fail(self, claim: Claim, code: str, detail: str) -> bool:
        """The document itself failed, with an error that will not pass."""

    async def may_read(self, tenant: str, quotas: Quotas) -> bool:
        """Whether the tenant has pages left in this minute. A worker asks before each page if there is a limit."""

    async def release(self, claim: Claim, seconds: float = 0) -> bool:
        """Put the job back into the queue with its turn, for others after `seconds`; no attempt is counted."""

    # -- webhooks

    async def claim_hooks(
        self,
        owner: str,
        lease_seconds: float,
        most: int,
        busy_hosts: Sequence[str],
        kind: HookKind = "webhook",
    ) -> list[Hook]:
        """Take hooks that are due, not to one of these hosts (`webhooks/addresses.py: host_of` the URL).

        With its final state, a job with `webhook_url` gets a hook of the kind "webhook", and a complete or partial
        job with `result_url` one of the kind "result"; their outcomes are the job's `webhook_state` and
        `result_state`. A lost claim counts no attempt.
        """

    async def hook_done(self, hook: Hook, outcome: Literal["delivered", "failed"]) -> None:
        """Forget the hook; the job's `webhook_state` or `result_state` says how it ended."""

    async def hook_later(self, hook: Hook, seconds: float) -> None:
        """Try again after `seconds`, as the next attempt."""

    # -- upkeep

    async def sweep(self) -> int:
        """Remove expired jobs with all that is theirs, and pieces without a job; the number of jobs removed."""

    async def backlog(self) -> Backlog: ...
