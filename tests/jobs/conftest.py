"""Stores for the tests: each test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from api_gateway.jobs.sql.drivers import Driver
from api_gateway.jobs.sql.postgres import PostgresDriver
from api_gateway.jobs.sql.sqlite import SqliteDriver
from api_gateway.jobs.sql_store import SqlStore
from tests.documents.stand_in import ModelServer, serving
from tests.jobs.desk import Desk, Desks
from tests.jobs.postgres import PostgresServer, postgres_server
from tests.jobs.stores import event


@pytest.fixture
def server() -> ModelServer:
    return ModelServer()


@pytest.fixture
def desks(store: SqlStore, server: ModelServer, tmp_path: Path) -> Iterator[Desks]:
    with serving(server) as url:
        yield lambda **settings: Desk(store, url, tmp_path / "spool", **settings)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for tests that do not stop it: each takes a database of its own."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    if request.param == "sqlite":
        return SqliteDriver(tmp_path / "jobs")
    server: PostgresServer = request.getfixturevalue("postgres")
    return PostgresDriver(server.create())


@pytest.fixture
async def store(driver: Driver) -> AsyncIterator[SqlStore]:
    opened = SqlStore(driver, event, store_bytes=1 << 30, linger_seconds=0)
    await opened.open()
    yield opened
    await opened.close()
