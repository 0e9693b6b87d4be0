"""What a store needs of a database, and the one place where its errors become the gateway's."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from api_gateway.errors import NoSpace, StoreUnavailable

log = logging.getLogger("jobs")

_P = ParamSpec("_P")
_T = TypeVar("_T")
RETRY_SECONDS = 10
_NO_SPACE = {"53100"}  # PostgreSQL: disk_full
# The second one is a disk quota, or a broken disk: SQLite does not tell.
_NO_SPACE_SQLITE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}


class Driver(Protocol):
    """Runs transactions: functions of a connection, which may run more than once if they do not commit."""

    async def open(self) -> None:
        """Connect, and migrate the schema.

        If the database does not answer, the first transaction that finds it does this.

        Raises:
            StartFailed, StoreUnavailable.
        """

    async def close(self) -> None: ...

    async def write(
        self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run it, and commit; nothing is written if it raises. On return the changes are on disk."""

    async def add(
        self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """The same for a transaction that adds many bytes: it leaves space for those that remove some."""

    async def read(
        self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run it on what has been committed; it must not write."""

    async def unblock(self) -> None:
        """End transactions of processes that have stopped in them: they hold locks.

        Raises:
            StoreUnavailable.
        """

    async def shrink(self) -> None:
        """Give the space of removed rows back to the file system, if the database does not do that itself."""


@contextlib.contextmanager
def database_errors() -> Iterator[None]:
    """Translate every error of a database.

    Raises:
        NoSpace, StoreUnavailable.
    """
    try:
        yield
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, sqlite3.Error) as error:
        if is_full(error):
            log.error("the disk of the database of jobs is full", extra={"cause": repr(error)})  # noqa: TRY400
            raise NoSpace(retry_after=RETRY_SECONDS) from None
        log.error("the database of jobs failed", extra={"cause": repr(error)})  # noqa: TRY400 - no parameters in logs
        raise StoreUnavailable(retry_after=RETRY_SECONDS) from None


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code of the error."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None)


def is_full(error: Exception) -> bool:
    """Whether the database has no disk space."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) in _NO_SPACE_SQLITE
    return sqlstate(error) in _NO_SPACE
