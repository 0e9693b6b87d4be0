"""Jobs in PostgreSQL, directly or through a pooler such as PgBouncer: each transaction stands alone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import uuid4

import asyncpg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from api_gateway.errors import StoreUnavailable
from api_gateway.jobs.sql.drivers import RETRY_SECONDS, database_errors, sqlstate
from api_gateway.jobs.sql.migrations import migrate

_P = ParamSpec("_P")
_T = TypeVar("_T")

_CONNECTIONS = 5  # for one process; transactions are short
_CONNECT_SECONDS = 3.0
_COMMAND_SECONDS = 5.0
_TRANSACTION_SECONDS = 8.0  # with the wait for a connection; a server that is stopped answers nothing
_MIGRATION_SECONDS = 60.0
_TRIES = 3
_CONFLICTS = {"40001", "40P01"}  # serialization_failure, deadlock_detected: nothing was written
_STATEMENTS = 200  # that a connection keeps prepared; the store has fewer

_LIMITS = {
    # A process that is stopped in a transaction would hold its locks until it is killed.
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "5s",
}
_SET_LIMITS = text(
    "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _LIMITS.items())
)

_FROZEN_SECONDS = 15.0  # longer than `_TRANSACTION_SECONDS`: the process does not run
_APPLICATION = "ocr-gateway"
_END_FROZEN = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = current_user"
    " AND application_name = :application AND wait_event = 'ClientRead'"
    " AND xact_start < clock_timestamp() - make_interval(secs => :seconds)"
)

log = logging.getLogger("jobs")


class PostgresDriver:
    """The store opens itself with the first transaction if `open` did not find the database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: AsyncEngine | None = None
        self._is_pooled = False
        self._opening = asyncio.Lock()
        self._is_open = False

    async def open(self) -> None:
        async with self._opening:
            if not self._is_open:
                await self._limited(self._open(), _MIGRATION_SECONDS)
                self._is_open = True

    async def close(self) -> None:
        if self._engine is not None:
            # A server that is stopped does not answer to a farewell.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await self._engine.dispose()

    async def write(
        self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        return await self._run(lambda connection: work(connection, *args, **kwargs))

    add = write

    async def read(
        self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Each statement alone, without the begin and the end of a transaction.

        A pooler might give each message of a statement to another server.
        """
        return await self._run(lambda connection: work(connection, *args, **kwargs), is_read=True)

    async def unblock(self) -> None:
        """Between the preparation of a statement and its execution, `_LIMITS` do not hold.

        PostgreSQL 17 has a limit for whole transactions, older versions have none.
        """
        of = {"application": _APPLICATION, "seconds": _FROZEN_SECONDS}
        await self.read(lambda connection: connection.execute(_END_FROZEN, of))

    async def shrink(self) -> None:
        """Autovacuum does it."""

    async def _run(self, work: Callable[[Connection], _T], *, is_read: bool = False) -> _T:
        if not self._is_open:
            await self.open()
        alone = is_read and not self._is_pooled  # known when it is open
        return await self._limited(self._try(work, alone=alone), _TRANSACTION_SECONDS)

    async def _limited(self, work: Coroutine[Any, Any, _T], seconds: float) -> _T:
        with database_errors():
            try:
                async with asyncio.timeout(seconds):
                    return await work
            except TimeoutError:
                log.error("the database of jobs did not answer in time")  # noqa: TRY400
                raise StoreUnavailable(retry_after=RETRY_SECONDS) from None

    async def _open(self) -> None:
        if self._engine is None:
            self._is_pooled = await self._has_pooler()
            self._engine = create_async_engine(
                "postgresql+asyncpg://",
                creator=self._connection,
                pool_size=_CONNECTIONS,
                max_overflow=0,
                pool_timeout=_TRANSACTION_SECONDS,
                pool_recycle=1800,
                hide_parameters=True,
            )
        await self._try(migrate)

    async def _try(self, work: Callable[[Connection], _T], *, alone: bool = False) -> _T:
        """Again after a conflict, or if the connection was lost before the commit: nothing was written."""
        for attempt in range(1, _TRIES + 1):
            committing = False
            try:
                async with self._opened.connect() as connection:
                    if alone:
                        await connection.execution_options(isolation_level="AUTOCOMMIT")
                    elif self._is_pooled:
                        await connection.execute(_SET_LIMITS)
                    found = await connection.run_sync(work)
                    committing = True
                    await connection.commit()
                    return found
            except DBAPIError as error:
                is_unwritten = error.connection_invalidated and not committing
                if not (is_unwritten or sqlstate(error) in _CONFLICTS) or attempt == _TRIES:
                    raise
        raise AssertionError("not reached")

    @property
    def _opened(self) -> AsyncEngine:
        assert self._engine is not None, "the store was not opened"  # noqa: S101 - narrows the type
        return self._engine

    async def _has_pooler(self) -> bool:
        """Whether the process that answers is another one than that which took the connection."""
        connection = await self._connect()
        try:
            pid: int = await connection.fetchval("SELECT pg_backend_pid()")
            return bool(pid != connection.get_server_pid())
        finally:
            await connection.close(timeout=_CONNECT_SECONDS)

    def _connect(self, **settings: str) -> Any:
        # asyncpg reads the whole URL itself: several hosts, sslmode, certificates.
        return asyncpg.connect(
            self._url,
            timeout=_CONNECT_SECONDS,
            command_timeout=_COMMAND_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": _APPLICATION, **settings},
        )

    def _connection(self) -> Any:
        # A pooler gives a server's connection to several clients: prepared statements are not there any more, or
        # their names are known already; and it does not know most settings of a connection.
        return self._opened.dialect.dbapi.connect(  # type: ignore[union-attr]
            async_creator_fn=self._connect if self._is_pooled else partial(self._connect, **_LIMITS),
            prepared_statement_cache_size=0 if self._is_pooled else _STATEMENTS,
            prepared_statement_name_func=(lambda: f"ocr_{uuid4().hex}") if self._is_pooled else None,
        )
