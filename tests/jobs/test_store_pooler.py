"""The store behind PgBouncer, which gives each transaction any of its few connections."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from api_gateway.jobs.sql.postgres import PostgresDriver
from api_gateway.jobs.sql_store import SqlStore
from scripts.services import free_port
from tests import needs
from tests.jobs.postgres import PostgresServer, unprivileged
from tests.jobs.stores import FREE, LEASE, claimed, event, handed_in, page

pytestmark = pytest.mark.anyio


@pytest.fixture
def pooled_url(postgres: PostgresServer) -> Iterator[str]:
    """A new database, by way of PgBouncer."""
    program = needs.program("pgbouncer", "Debian: pgbouncer")
    port, folder = free_port(), postgres.folder
    (folder / "users.txt").write_text('"ocr" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = trust\nauth_file = users.txt\npool_mode = transaction\ndefault_pool_size = 2\n"
    )
    url = postgres.create()
    with (folder / "pgbouncer.log").open("wb") as log:
        command: list[str] = [program, "pgbouncer.ini"]
        pooler = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **unprivileged())  # type: ignore[call-overload]
    try:
        _wait_until_it_listens(port)
        yield url.replace(f":{postgres.port}/", f":{port}/")
    finally:
        pooler.terminate()
        pooler.wait(30)


@pytest.fixture
async def store(pooled_url: str) -> AsyncIterator[SqlStore]:
    opened = SqlStore(PostgresDriver(pooled_url), event, 1 << 30)
    await opened.open()
    yield opened
    await opened.close()


async def test_jobs_go_through_a_pooler_of_transactions(store: SqlStore) -> None:
    """Prepared statements, locks and settings do not outlive their transaction."""
    jobs = await asyncio.gather(*(handed_in(store) for _ in range(30)))
    claims = await asyncio.gather(*(store.claim(f"w{number}", LEASE, FREE) for number in range(20)))
    taken = [claim for claim in claims if claim is not None]
    assert len({claim.job.id for claim in taken}) == 20
    for claim in taken[:5]:
        assert await store.opened(claim, 1, 1)
    await asyncio.gather(*(store.add_page(claim, page(1), LEASE) for claim in taken[:5]))
    states = [job.state for job in await store.jobs("anna", limit=99, after=None)]
    assert (states.count("complete"), states.count("running"), states.count("queued")) == (5, 15, 10)
    assert (await claimed(store)).job.id in {job.id for job in jobs}


def _wait_until_it_listens(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.02)
        else:
            return
