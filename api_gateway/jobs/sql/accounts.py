"""What is counted as it changes: stored bytes, and the pages of each minute."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, Table, cast, func, select
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


def stored_bytes(tenant: str | None = None) -> Select[int]:
    """Of one tenant, or of all."""
    query = select(cast(func.coalesce(func.sum(stored.c.bytes), 0), BigInteger))
    return query if tenant is None else query.where(stored.c.tenant == tenant)


def count_page(connection: Connection, tenant: str, job_id: str, at: float) -> None:
    upsert(connection, usage, {"tenant": tenant, "minute": int(at // 60), "shard": shard(job_id)}, {"pages": 1})


def upsert(
    connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any], *, add: bool = True
) -> None:
    """Insert the row, or add the values to those of the row that is there (or set them)."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(**key, **values)
    there = {
        name: table.c[name] + statement.excluded[name] if add else statement.excluded[name] for name in values
    }
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=there))


def insert_once(connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Insert the row; False if there is one."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(**key, **values).on_conflict_do_nothing(index_elements=list(key))
    return connection.execute(statement).rowcount == 1
