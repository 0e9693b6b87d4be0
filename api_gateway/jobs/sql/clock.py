"""The database's clock, and its locks between transactions."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, text

_NOW = {
    "sqlite": text("SELECT (julianday('now') - 2440587.5) * 86400.0"),  # to a twentieth of a millisecond
    # not now(): that is when the transaction began, perhaps long before it got its lock
    "postgresql": text("SELECT extract(epoch FROM clock_timestamp())::float8"),
}

MIGRATION, CLAIM, SUBMIT = range(0x0C2_0001, 0x0C2_0004)
"""First halves of the numbers of advisory locks."""


def now(connection: Connection) -> float:
    """Seconds since 1970."""
    return float(connection.scalar(_NOW[connection.dialect.name]) or 0)


def lock(connection: Connection, what: int, whose: str = "") -> None:
    """Wait until no other transaction has this lock, and hold it until the end of this one.

    SQLite needs none: it has one writer.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(what, func.hashtext(whose))))
