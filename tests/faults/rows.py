"""What the store of a fleet has on disk at this instant, read without any of its processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, NullPool, create_engine, select
from sqlalchemy.ext.asyncio import create_async_engine

from api_gateway.jobs.sql.schema import pages
from api_gateway.jobs.sql.sqlite import FILE
from tests.faults.fleet import Fleet

T = TypeVar("T")


def read(fleet: Fleet, work: Callable[[Connection], T]) -> T:
    """The result of `work` on the database."""
    if fleet.database_url is None:
        engine = create_engine(f"sqlite:///{fleet.jobs_folder / FILE}", poolclass=NullPool)
        with engine.connect() as connection:
            return work(connection)
    return asyncio.run(_read_postgres(fleet.database_url, work))


def stored_pages(fleet: Fleet, job: str) -> set[int]:
    return read(fleet, lambda connection: {*connection.scalars(select(pages.c.number).where(pages.c.job == job))})


async def _read_postgres(url: str, work: Callable[[Connection], T]) -> T:
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()
