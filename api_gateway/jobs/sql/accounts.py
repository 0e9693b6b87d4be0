"""What is counted as it changes: stored bytes, and the pages of each minute."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Table, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite

from api_gateway.jobs.sql.clock import Now
from api_gateway.jobs.sql.schema import stored, usage

NOBODY = "-"
"""Pieces whose job is not submitted yet are counted as this tenant's: no API key has this name."""

MINUTE = cast(func.floor(Now() / 60), BigInteger)

_SHARDS = 4


def shard(job_id: str) -> int:
    return zlib.crc32(job_id.encode()) % _SHARDS


def add_bytes(connection: Connection, changes: Mapping[tuple[str, int], int]) -> None:
    """Add to the stored bytes of tenants and shards.

    The rows are locked in one order, so that two transactions do not wait for each other.
    """
    for (tenant, part), amount in sorted(changes.items()):
        if amount:
            upsert(connection, stored, {"tenant": tenant, "shard": part}, {"bytes": amount})


STORED_BYTES = select(cast(func.coalesce(func.sum(stored.c.bytes), 0), BigInteger))
"""Of all tenants."""


def count_page(connection: Connection, tenant: str, job_id: str, at: float) -> None:
    upsert(connection, usage, {"tenant": tenant, "minute": int(at // 60), "shard": shard(job_id)}, {"pages": 1})


def upsert(
    connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any], *, add: bool = True
) -> None:
    """Insert the row, or add the values to those of the row that is there (or set them)."""
    statement = _upsert(connection.dialect.name, table, (*key,), (*values,), add)
    connection.execute(statement, {**key, **values})


def insert_once(connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Insert the row; False if there is one."""
    statement = _insert_once(connection.dialect.name, table, (*key,))
    return connection.execute(statement, {**key, **values}).rowcount == 1


@cache
def _upsert(dialect: str, table: Table, key: tuple[str, ...], values: tuple[str, ...], add: bool) -> Any:
    statement = _insert(dialect, table)
    there = {
        name: table.c[name] + statement.excluded[name] if add else statement.excluded[name] for name in values
    }
    return statement.on_conflict_do_update(index_elements=key, set_=there)


@cache
def _insert_once(dialect: str, table: Table, key: tuple[str, ...]) -> Any:
    return _insert(dialect, table).on_conflict_do_nothing(index_elements=key)


def _insert(dialect: str, table: Table) -> Any:
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)
