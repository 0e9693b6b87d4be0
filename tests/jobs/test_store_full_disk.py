"""SQLite on a disk that is really full: nothing is half kept, and removals make room."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests import needs

ROOT = Path(__file__).parents[2]

# Runs where a small disk is mounted: no other process sees it, and it is gone with this one.
PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from api_gateway.errors import NoSpace
from api_gateway.jobs.sql.sqlite import SqliteDriver
from api_gateway.jobs.sql_store import SqlStore
from tests.jobs.stores import FREE, LEASE, claimed, event, handed_in, new_job, page

MIB = 1 << 20


async def main(folder):
    store = SqlStore(SqliteDriver(folder), event, store_bytes=1 << 40, linger_seconds=0)
    await store.open()
    files = {}
    while True:
        job = new_job(size=MIB, ttl_seconds=0.0)
        content = os.urandom(MIB)
        try:
            await store.submit([job], FREE, {job.id: (0, content)})
        except NoSpace:
            break
        files[job.id] = content
    assert 10 < len(files) < 60, len(files)
    assert (await store.backlog()).stored_bytes == len(files) * MIB
    assert await store.job("anna", job.id) is None
    with open(folder / "other", "wb", 0) as other:  # somebody else takes the last byte
        try:
            while other.write(b"x" * 4096):
                pass
        except OSError:
            pass
    claim = await claimed(store)
    try:
        assert not await store.put_piece("more", 0, b"x" * MIB)
        raise AssertionError("there is no space for this")
    except NoSpace:
        pass
    # What frees space goes on, and what is there is whole.
    for job_id, content in files.items():
        assert b"".join([piece async for piece in store.file(job_id)]) == content
        assert await store.remove("anna", job_id) == "cancelled"
    assert await store.sweep() == len(files)
    assert (await store.backlog()).stored_bytes == 0
    for _ in range(10):
        await handed_in(store, size=MIB)
    await store.close()
    # A start on a full disk, with what a kill left.
    again = SqlStore(SqliteDriver(folder), event, store_bytes=1 << 40, linger_seconds=0)
    await again.open()
    assert (await again.backlog()).queued == 10
    await again.close()


asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_full_disk_keeps_nothing_by_halves_and_is_emptied_again(tmp_path: Path) -> None:
    if not shutil.which("unshare") or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        needs.missing("mount namespaces (unshare --mount) are not allowed here")
    mount = f'mount -t tmpfs -o size=48m tmpfs {tmp_path} && exec "$0" -c "$1" {tmp_path}'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, sys.executable, PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-3000:]
