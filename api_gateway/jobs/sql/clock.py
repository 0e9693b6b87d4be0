"""The database's clock, and its locks between transactions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Double, Integer, bindparam, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

MIGRATION, CLAIM, SUBMIT = range(0x0C2_0001, 0x0C2_0004)
"""First halves of the numbers of advisory locks."""


class Now(FunctionElement[float]):
    """When the statement began, in seconds since 1970."""

    type = Double()
    inherit_cache = True


@compiles(Now, "sqlite")
def _sqlite(_element: Now, _compiler: Any, **_options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"  # to a twentieth of a millisecond


@compiles(Now, "postgresql")
def _postgresql(_element: Now, _compiler: Any, **_options: Any) -> str:
    # Not now(): that is when the transaction began, perhaps long before it got its lock.
    return "(extract(epoch FROM statement_timestamp())::float8)"


_LOCK = select(func.pg_advisory_xact_lock(bindparam("what", type_=Integer()), func.hashtext(bindparam("whose"))))


def lock(connection: Connection, what: int, whose: str = "") -> None:
    """Wait until no other transaction has this lock, and hold it until the end of this one.

    SQLite needs none: it has one writer.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"what": what, "whose": whose})
