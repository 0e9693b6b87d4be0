"""The store of jobs in a SQL database. Each method runs one or a few transactions of `sql/`."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Concatenate, Literal, ParamSpec, TypeVar

from sqlalchemy import Connection

from api_gateway.jobs.job import Backlog, Claim, Hook, HookKind, Job, NewJob, Quotas, State, StoredPage
from api_gateway.jobs.sql import claiming, delivering, ending, reading, submitting, upkeep, working
from api_gateway.jobs.sql.drivers import Driver
from api_gateway.jobs.sql.ending import Ends, Event
from service_kit.errors import NotFound, ServiceError

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LINES_AT_ONCE = 8
_LINGER_SECONDS = 30.0
_GONE = "The job has been removed."


class SqlStore:
    """Pieces are refused when all stored files and pages together have `store_bytes`; pages are always taken."""

    def __init__(
        self,
        driver: Driver,
        event: Event,
        store_bytes: int,
        on_end: Callable[[Job], None] | None = None,
        linger_seconds: float = _LINGER_SECONDS,
        *,
        counts_pages: bool = True,
    ) -> None:
        """`on_end` is told of each job that this process has ended, after the commit.

        `linger_seconds`: from a job's expiry until `sweep` removes it, so that a download under way can end.
        `counts_pages`: for the limit of pages a minute.
        """
        self._driver = driver
        self._event = event
        self._store_bytes = store_bytes
        self._on_end = on_end or (lambda _job: None)
        self._linger_seconds = linger_seconds
        self._counts_pages = counts_pages

    async def open(self) -> None:
        await self._driver.open()

    async def close(self) -> None:
        await self._driver.close()

    async def put_piece(self, job_id: str, number: int, piece: bytes) -> None:
        await self._driver.add(submitting.put_piece, job_id, number, piece, self._store_bytes)

    async def drop_pieces(self, job_id: str) -> None:
        await self._driver.write(submitting.drop_pieces, job_id)

    async def submit(
        self, jobs: Sequence[NewJob], quotas: Quotas, last: dict[str, tuple[int, bytes]]
    ) -> list[Job]:
        return await self._driver.add(submitting.submit, jobs, quotas, last)

    async def job(self, tenant: str, job_id: str) -> Job | None:
        return await self._driver.read(reading.job, tenant, job_id)

    async def by_idempotency_key(self, tenant: str, key: str) -> tuple[Job, str] | None:
        return await self._driver.read(reading.by_idempotency_key, tenant, key)

    async def jobs(
        self, tenant: str, *, states: Sequence[State] = (), batch: str | None = None, limit: int, after: str | None
    ) -> list[Job]:
        return await self._driver.read(reading.list_jobs, tenant, states, batch, limit, after)

    async def remove(self, tenant: str, job_id: str) -> Literal["cancelled", "removed"] | None:
        return self._tell(await self._driver.write(self._ending(ending.remove), tenant, job_id))

    async def watch(self, job_ids: Iterable[str]) -> dict[str, Job]:
        return await self._driver.read(reading.watch, [*job_ids])

    async def page_numbers(self, job_id: str) -> list[int]:
        return await self._driver.read(reading.page_numbers, job_id)

    async def pages(self, job_id: str, numbers: Sequence[int]) -> AsyncIterator[StoredPage]:
        for start in range(0, len(numbers), _LINES_AT_ONCE):
            some = numbers[start : start + _LINES_AT_ONCE]
            found = await self._driver.read(reading.lines, job_id, some)
            for number in some:
                if number not in found:
                    raise NotFound(_GONE)
                line, failed = found[number]
                yield StoredPage(number, await asyncio.to_thread(zlib.decompress, line), failed)

    async def file(self, job_id: str) -> AsyncIterator[bytes]:
        number, count = 0, 1
        while number < count:
            found = await self._driver.read(reading.piece, job_id, number)
            if found is None:
                raise NotFound(_GONE)
            piece, count = found
            yield piece
            number += 1

    async def claim(self, owner: str, lease_seconds: float, quotas: Quotas) -> Claim | None:
        """A caller that is cancelled meanwhile leaves no claimed job behind."""
        taking = asyncio.ensure_future(
            self._driver.write(self._ending(claiming.claim), owner, lease_seconds, quotas)
        )
        try:
            return self._tell(await asyncio.shield(taking))
        except asyncio.CancelledError:
            with contextlib.suppress(ServiceError):
                claim = self._tell(await taking)
                if claim is not None:
                    await self.release(claim)
            raise

    async def renew(self, claim: Claim, lease_seconds: float) -> bool:
        return await self._driver.write(working.renew, claim, lease_seconds)

    async def opened(self, claim: Claim, page_count: int, pages_total: int) -> bool:
        return self._tell(await self._driver.write(self._ending(working.opened), claim, page_count, pages_total))

    async def begin_page(self, claim: Claim, number: int) -> bool:
        return await self._driver.write(working.begin_page, claim, number)

    async def add_page(self, claim: Claim, page: StoredPage, lease_seconds: float) -> bool:
        line = await asyncio.to_thread(zlib.compress, page.line, 1)
        return self._tell(
            await self._driver.add(
                self._ending(working.add_page),
                claim,
                page.number,
                line,
                page.failed,
                lease_seconds,
                self._counts_pages,
            )
        )

    async def fail(self, claim: Claim, code: str, detail: str) -> bool:
        return self._tell(await self._driver.write(self._ending(working.fail), claim, code, detail))

    async def may_read(self, tenant: str, quotas: Quotas) -> bool:
        return await self._driver.read(claiming.may_read, tenant, quotas)

    async def release(self, claim: Claim, seconds: float = 0) -> bool:
        return await self._driver.write(working.release, claim, seconds)

    async def claim_hooks(
        self,
        owner: str,
        lease_seconds: float,
        most: int,
        busy_hosts: Sequence[str],
        kind: HookKind = "webhook",
    ) -> list[Hook]:
        return await self._driver.write(delivering.claim_hooks, owner, lease_seconds, most, busy_hosts, kind)

    async def hook_done(self, hook: Hook, outcome: Literal["delivered", "failed"]) -> None:
        await self._driver.write(delivering.hook_done, hook, outcome)

    async def hook_later(self, hook: Hook, seconds: float) -> None:
        await self._driver.write(delivering.hook_later, hook, seconds)

    async def sweep(self) -> int:
        await self._driver.unblock()
        removed, more = 0, True
        while more:
            some, more = await self._driver.write(upkeep.remove_expired, self._linger_seconds)
            removed += some
        for job_id in await self._driver.read(upkeep.orphans):
            await self._driver.write(submitting.drop_pieces, job_id)
        await self._driver.write(upkeep.forget_usage)
        await self._driver.shrink()
        return removed

    async def backlog(self) -> Backlog:
        return await self._driver.read(upkeep.backlog)

    def _ending(
        self, work: Callable[Concatenate[Connection, Ends, _P], _T]
    ) -> Callable[Concatenate[Connection, _P], tuple[_T, list[Job]]]:
        """The transaction, with the jobs that it ends."""

        def run(connection: Connection, /, *args: _P.args, **kwargs: _P.kwargs) -> tuple[_T, list[Job]]:
            ends = Ends(self._event)  # anew each time that the driver tries
            return work(connection, ends, *args, **kwargs), ends.jobs

        return run

    def _tell(self, outcome: tuple[_T, list[Job]]) -> _T:
        result, ended = outcome
        for job in ended:
            self._on_end(job)
        return result
