"""Jobs in a SQLite file: one thread writes, another reads what is committed, and one process has the folder."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from api_gateway.errors import NoSpace, StoreUnavailable
from api_gateway.jobs.sql.drivers import RETRY_SECONDS, database_errors, is_full
from api_gateway.jobs.sql.migrations import migrate
from api_gateway.jobs.sql.reserve import Reserve
from service_kit.server import StartFailed

_P = ParamSpec("_P")
_T = TypeVar("_T")

FILE = "jobs.sqlite3"
_LOCK = "lock"
_RESERVE = "reserve"
_BUSY_SECONDS = 5.0  # for a backup, or a person with the program sqlite3; waiting for the thread counts
_LEAST_BUSY_SECONDS = 0.2  # even after a longer wait for the thread
_WAIT_SECONDS = 30.0  # for a transaction and those before it
_PAGES_AT_ONCE = 1024  # that are given back in one transaction
_PRAGMAS = (
    "auto_vacuum = INCREMENTAL",  # only before the first table; the others are for each connection
    "journal_mode = WAL",
    "synchronous = FULL",  # a commit is on disk
    "secure_delete = OFF",
    "cache_size = -16384",  # KiB
    f"journal_size_limit = {64 << 20}",
)


class SqliteDriver:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: int | None = None
        self._reserve = Reserve(folder / _RESERVE)
        self._writing = _Lane(folder / FILE, "BEGIN IMMEDIATE", "jobs-writer")
        self._reading = _Lane(folder / FILE, "BEGIN", "jobs-reader")

    async def open(self) -> None:
        try:
            self._take_folder()
            await self._writing.call(self._open)
        except (OSError, SQLAlchemyError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise StartFailed(f"JOBS_DIR {self._folder} cannot be used: {cause}") from None

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    async def write(
        self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        def run(engine: Engine) -> _T:
            try:
                return _transaction(engine, lambda connection: work(connection, *args, **kwargs))
            except DBAPIError as error:
                if not is_full(error) or not self._reserve.free():
                    raise
            return _transaction(engine, lambda connection: work(connection, *args, **kwargs))

        with database_errors():
            return await self._writing.call(run)

    async def add(
        self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        def run(engine: Engine) -> _T:
            if not self._reserve.fill():
                raise NoSpace(retry_after=RETRY_SECONDS)
            return _transaction(engine, lambda connection: work(connection, *args, **kwargs))

        with database_errors():
            return await self._writing.call(run)

    async def read(
        self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        with database_errors():
            return await self._reading.call(
                lambda engine: _transaction(engine, lambda connection: work(connection, *args, **kwargs))
            )

    async def unblock(self) -> None:
        """No other process has the folder."""

    async def shrink(self) -> None:
        """In steps, so that other transactions come between them; and take back the reserve."""
        with database_errors():
            while await self._writing.call(_give_back):
                pass
            await self._writing.call(_checkpoint)
            await self._writing.call(lambda _engine: self._reserve.fill())

    def _open(self, engine: Engine) -> None:
        try:
            _transaction(engine, migrate)
        except DBAPIError as error:
            if not is_full(error) or not self._reserve.free():
                raise
            _transaction(engine, migrate)
        self._reserve.fill()

    def _take_folder(self) -> None:
        if self._lock is not None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise StartFailed(f"JOBS_DIR {self._folder} is in use by another process") from None
        # SQLite gives its other files the mode of this one.
        os.close(os.open(self._folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._lock = lock

    def _close(self) -> None:
        self._reading.close()
        self._writing.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class _Lane:
    """A thread with its own connection."""

    def __init__(self, file: Path, begin: str, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._begin = begin
        self._busy_seconds = _BUSY_SECONDS
        self._engine = create_engine(
            f"sqlite:///{file}",
            poolclass=StaticPool,
            hide_parameters=True,
            connect_args={"check_same_thread": False, "isolation_level": None},
        )
        event.listen(self._engine, "connect", _set_up)
        event.listen(self._engine, "begin", self._begins)

    async def call(self, work: Callable[[Engine], _T]) -> _T:
        """Call it in the thread. If the wait is too long, it may still run, or never.

        Raises:
            StoreUnavailable.
        """
        call = self._thread.submit(self._run, work, time.monotonic())
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                return await asyncio.wrap_future(call)
        except TimeoutError:
            raise StoreUnavailable(retry_after=RETRY_SECONDS) from None

    def close(self) -> None:
        self._thread.submit(self._engine.dispose)
        self._thread.shutdown()

    def _run(self, work: Callable[[Engine], _T], since: float) -> _T:
        """While another program has the lock, the calls behind each other do not wait for it in turn."""
        self._busy_seconds = max(since + _BUSY_SECONDS - time.monotonic(), _LEAST_BUSY_SECONDS)
        return work(self._engine)

    def _begins(self, connection: Connection) -> None:
        raw: Any = connection.connection.driver_connection
        raw.execute(f"PRAGMA busy_timeout = {round(1000 * self._busy_seconds)}")
        connection.exec_driver_sql(self._begin)


def _transaction(engine: Engine, work: Callable[[Connection], _T]) -> _T:
    with engine.begin() as connection:
        return work(connection)


def _set_up(connection: Any, _record: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _give_back(engine: Engine) -> bool:
    """Shorten the file by some unused pages; whether there are more."""
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
        (unused,) = cursor.execute("PRAGMA freelist_count").fetchone()
        return bool(unused)
    finally:
        raw.close()


def _checkpoint(engine: Engine) -> None:
    """Move what is in the WAL to the file, whose end can only then be cut off."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        raw.close()
