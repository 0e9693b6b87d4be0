"""Jobs in PostgreSQL, directly or through a pooler such as PgBouncer (each transaction stands alone)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
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
_TRANSACTION_SECONDS = 10.0  # with the wait for a connection; a server that is stopped answers nothing
_MIGRATION_SECONDS = 60.0
_TRIES = 3
_CONFLICTS = {"40001", "40P01"}  # serialization_failure, deadlock_detected: nothing was written
# A process that is stopped in a transaction would hold its locks until it is killed.
_LIMITS = text(
    "SELECT set_config('idle_in_transaction_session_timeout', '10s', true), set_config('lock_timeout', '5s', true)"
)

log = logging.getLogger("jobs")


class PostgresDriver:
    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: AsyncEngine | None = None
        self._opening = asyncio.Lock()
        self._is_open = False

    async def open(self) -> None:
        async with self._opening:
            if not self._is_open:
                await self._run(migrate, _MIGRATION_SECONDS)
                self._is_open = True

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def write(
        self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        if not self._is_open:
            await self.open()
        return await self._run(lambda connection: work(connection, *args, **kwargs), _TRANSACTION_SECONDS)

    add = read = write

    async def shrink(self) -> None:
        """Autovacuum does it."""

    async def _run(self, work: Callable[[Connection], _T], seconds: float) -> _T:
        with database_errors():
            try:
                async with asyncio.timeout(seconds):
                    return await self._try(work)
            except TimeoutError:
                log.error("the database of jobs did not answer in time")  # noqa: TRY400
                raise StoreUnavailable(retry_after=RETRY_SECONDS) from None

    async def _try(self, work: Callable[[Connection], _T]) -> _T:
        for attempt in range(1, _TRIES + 1):
            try:
                async with self._connections().begin() as connection:
                    await connection.execute(_LIMITS)
                    return await connection.run_sync(work)
            except DBAPIError as error:
                if sqlstate(error) not in _CONFLICTS or attempt == _TRIES:
                    raise
        raise AssertionError("not reached")

    def _connections(self) -> AsyncEngine:
        if self._engine is None:
            # asyncpg reads the whole URL itself: several hosts, sslmode, certificates.
            self._engine = create_async_engine(
                "postgresql+asyncpg://",
                creator=self._connect,
                pool_size=_CONNECTIONS,
                max_overflow=0,
                pool_timeout=_TRANSACTION_SECONDS,
                pool_pre_ping=True,
                pool_recycle=1800,
                hide_parameters=True,
            )
        return self._engine

    def _connect(self) -> Any:
        return self._connections().dialect.dbapi.connect(  # type: ignore[union-attr]
            async_creator_fn=partial(
                asyncpg.connect,
                self._url,
                timeout=_CONNECT_SECONDS,
                command_timeout=_COMMAND_SECONDS,
                statement_cache_size=0,
                server_settings={"application_name": "ocr-gateway"},
            ),
            # A pooler gives a connection to several clients: a name must not be known there already.
            prepared_statement_cache_size=0,
            prepared_statement_name_func=lambda: f"ocr_{uuid4().hex}",
        )
