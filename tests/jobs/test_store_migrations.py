"""Versions of the schema, and who may open the store."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, select

from api_gateway.errors import StoreUnavailable
from api_gateway.jobs.opening import make_store
from api_gateway.jobs.settings import JobSettings
from api_gateway.jobs.sql.drivers import Driver
from api_gateway.jobs.sql.migrations import MIGRATIONS, Migration, migrate
from api_gateway.jobs.sql.schema import meta, tables
from api_gateway.jobs.sql.sqlite import FILE, SqliteDriver
from api_gateway.jobs.sql_store import SqlStore
from service_kit.server import StartFailed
from tests.jobs.postgres import PostgresServer
from tests.jobs.stores import event, handed_in

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
NEXT = (*MIGRATIONS, Migration(("ALTER TABLE jobs ADD COLUMN colour TEXT",)))
BREAKING = (*MIGRATIONS, Migration(("ALTER TABLE jobs ADD COLUMN colour TEXT",), least=len(NEXT)))

# Opens the store as several gateways do that start together, and hands in a job.
PROGRAM = """
import asyncio, sys
from api_gateway.jobs.sql.postgres import PostgresDriver
from api_gateway.jobs.sql_store import SqlStore
from tests.jobs.stores import event, handed_in

async def main():
    store = SqlStore(PostgresDriver(sys.argv[1]), event, 1 << 30)
    print("ready", flush=True)
    sys.stdin.readline()
    await store.open()
    await handed_in(store)
    await store.close()

asyncio.run(main())
"""


async def test_the_migrated_tables_are_those_that_the_program_uses(store: SqlStore, driver: Driver) -> None:
    def columns(connection: Connection) -> None:
        found = inspect(connection)
        for table in tables.sorted_tables:
            there = {column["name"]: column for column in found.get_columns(table.name)}
            assert there.keys() == {column.name for column in table.columns}
            for column in table.columns:
                assert there[column.name]["nullable"] == column.nullable or column.primary_key, column
                expected = column.type.compile(connection.dialect)
                assert there[column.name]["type"].compile(connection.dialect) == expected, column

    await driver.write(columns)


async def test_a_store_is_migrated_once(store: SqlStore, driver: Driver) -> None:
    await handed_in(store)
    assert await driver.write(migrate) == len(MIGRATIONS)
    assert (await store.backlog()).queued == 1


async def test_two_versions_use_one_database(store: SqlStore, driver: Driver) -> None:
    assert await driver.write(migrate, NEXT) == len(NEXT)
    assert await driver.write(migrate) == len(NEXT)  # this version starts after the next one
    await handed_in(store)
    assert (await store.backlog()).queued == 1


async def test_a_schema_that_this_version_cannot_use_is_refused(store: SqlStore, driver: Driver) -> None:
    await driver.write(migrate, BREAKING)
    with pytest.raises(StartFailed, match=r"has schema 3, which needs a newer version .* \(it knows schema 2\)"):
        await driver.write(migrate)


async def test_a_failed_migration_leaves_the_old_schema(store: SqlStore, driver: Driver) -> None:
    bad = (*MIGRATIONS, Migration(("CREATE TABLE half (a INTEGER)", "CREATE TABLE half (a INTEGER)")))
    with pytest.raises(StoreUnavailable):
        await driver.write(migrate, bad)

    def look(connection: Connection) -> tuple[bool, int | None]:
        version = connection.scalar(select(meta.c.value).where(meta.c.name == "schema"))
        return inspect(connection).has_table("half"), version

    assert await driver.read(look) == (False, len(MIGRATIONS))


def test_eight_processes_open_an_empty_database_together(postgres: PostgresServer) -> None:
    url = postgres.create()
    command = [sys.executable, "-c", PROGRAM, url]
    started = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert postgres.query("SELECT count(*) FROM jobs", url.rpartition("/")[2]) == "8\n"


async def test_a_second_process_does_not_get_the_folder(tmp_path: Path) -> None:
    settings = JobSettings(port=1, jobs_dir=tmp_path)
    store = make_store(settings, event)
    await store.open()
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from api_gateway.jobs.sql.sqlite import SqliteDriver\n"
        "asyncio.run(SqliteDriver(Path(sys.argv[1])).open())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert f"StartFailed: JOBS_DIR {tmp_path} is in use by another process" in done.stderr
    await store.close()
    again = SqliteDriver(tmp_path)
    await again.open()
    await again.close()


async def test_a_folder_that_cannot_be_used_is_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"something else" * 1000)
    with pytest.raises(StartFailed, match=f"JOBS_DIR {tmp_path} cannot be used: file is not a database"):
        await SqliteDriver(tmp_path).open()
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StartFailed, match="Not a directory"):
        await SqliteDriver(file / "jobs").open()
