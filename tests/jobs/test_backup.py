"""The commands of docs/operations.md that back up and restore jobs, as they stand there, on both stores."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from api_gateway.jobs.sql.drivers import Driver
from api_gateway.jobs.sql.postgres import PostgresDriver
from api_gateway.jobs.sql.sqlite import SqliteDriver
from api_gateway.jobs.sql_store import SqlStore
from tests.jobs.postgres import PostgresServer
from tests.jobs.stores import claimed, event, handed_in, read

pytestmark = pytest.mark.anyio

# `kubectl exec … -- COMMAND` runs the command here, `get secret` prints its address, the rest is ignored.
KUBECTL = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
    *" exec "*) while [ "$1" != -- ]; do shift; done; shift; exec "$@" ;;
    *" get secret "*) printf %s "$SECRET" ;;
esac
"""


def commands(name: str) -> str:
    """A block of the documentation."""
    text = Path("docs/operations.md").read_text()
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert found, name
    return textwrap.dedent(found[1])


def run(name: str, folder: Path, **environment: str) -> str:
    """Run a block in the folder; what it prints."""
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    path = os.pathsep.join([str(folder), os.environ["PATH"]])  # Debian's pg_dump is the newest one
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands(name)],
        cwd=folder,
        env={**os.environ, "PATH": path, "CALLS": str(folder / "calls"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def opened(driver: Driver) -> SqlStore:
    return SqlStore(driver, event, store_bytes=1 << 30, linger_seconds=0)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    return tmp_path


class Place:
    """Where jobs are kept, as its commands find it."""

    def __init__(self, kind: str, folder: Path, server: PostgresServer | None) -> None:
        self.kind = kind
        self.folder = folder
        self._url = server.create() if server else ""

    def driver(self) -> Driver:
        return PostgresDriver(self._url) if self._url else SqliteDriver(self.folder / "jobs")

    def lose(self) -> None:
        """The volume is a new one; a new database is empty anyway."""
        for file in (self.folder / "jobs").iterdir():
            file.unlink()

    def run(self, what: str) -> str:
        secret = base64.b64encode(self._url.encode()).decode()
        return run(
            f"{self.kind} {what}", self.folder, SECRET=secret, API_GATEWAY_JOBS_DIR=str(self.folder / "jobs")
        )


@pytest.fixture
def place(kind: str, folder: Path, request: pytest.FixtureRequest) -> Place:
    server = request.getfixturevalue("postgres") if kind == "postgresql" else None
    return Place(kind, folder, server)


async def test_a_backup_brings_back_jobs_their_files_and_pages(place: Place) -> None:
    store = opened(place.driver())
    await store.open()
    half = await handed_in(store, "anna")
    waiting = await handed_in(store, "bert", size=3_000)
    await read(store, await claimed(store), [1, 2], total=4)
    printed = place.run("backup")
    assert printed.strip() == ("ok" if place.kind == "sqlite" else "")
    later = await handed_in(store, "anna")
    assert await store.remove("anna", half.id) == "cancelled"
    assert await store.remove("anna", half.id) == "removed"
    assert await store.remove("bert", waiting.id) == "cancelled"
    await store.close()

    place.run("restore")

    store = opened(place.driver())
    await store.open()
    try:
        assert await store.job("anna", later.id) is None
        found = await store.job("anna", half.id)
        assert found is not None
        assert (found.state, found.pages_done, found.pages_total) == ("running", 2, 4)
        assert await store.page_numbers(half.id) == [1, 2]
        again = await store.job("bert", waiting.id)
        assert again is not None
        assert again.state == "queued"
        assert b"".join([piece async for piece in store.file(waiting.id)]) == b"x" * 3_000
        claim = await claimed(store)
        assert claim.job.id == waiting.id
        assert await store.begin_page(claim, 1)
    finally:
        await store.close()


async def test_a_restore_into_a_lost_store_brings_all_back(place: Place, postgres: PostgresServer) -> None:
    """A new volume, an empty database."""
    store = opened(place.driver())
    await store.open()
    job = await handed_in(store, "anna")
    place.run("backup")
    await store.close()
    lost = Place(place.kind, place.folder, postgres if place.kind == "postgresql" else None)
    lost.lose()
    started = opened(lost.driver())
    await started.open()
    await started.close()
    lost.run("restore")
    store = opened(lost.driver())
    await store.open()
    try:
        found = await store.job("anna", job.id)
        assert found is not None
        assert found.state == "queued"
    finally:
        await store.close()
