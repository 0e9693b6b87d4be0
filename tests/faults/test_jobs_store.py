"""The store is down, full, or loses power."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults import client
from tests.faults.client import check_read_once, check_result, ended, hand_in, job_of, stored
from tests.faults.conftest import FleetOf, Record
from tests.faults.database import CopiedServer, fill, give, small_disk
from tests.faults.fleet import KEYS, LEASE_SECONDS, STORES, Fleet, StoreName
from tests.faults.numbered import make
from tests.faults.pair import until
from tests.faults.wire import Answer
from tests.jobs.postgres import PostgresServer, postgres_server

pytestmark = [pytest.mark.slow, pytest.mark.waits]

NUMBERS = itertools.count(3000)
PAGES = 6
MIB = 1 << 20


@contextlib.contextmanager
def down(fleet: Fleet, database: PostgresServer | None) -> Iterator[None]:
    """PostgreSQL is stopped; of SQLite, another program holds the lock."""
    if database is None:
        with contextlib.closing(sqlite3.connect(fleet.jobs_folder / "jobs.sqlite3")) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.rollback()
    else:
        database.stop()
        yield
        database.start()


@contextlib.contextmanager
def running(fleet_of: FleetOf, store: StoreName) -> Iterator[tuple[Fleet, PostgresServer | None]]:
    with contextlib.ExitStack() as opened:
        database = opened.enter_context(postgres_server(durable=True)) if store == "postgres" else None
        url = database.create() if database else None
        yield opened.enter_context(fleet_of(store, url).running()), database


def accepted(port: int, body: bytes, key: str, seconds: float = 40) -> Answer:
    """The 202 that a client gets who tries again."""

    def tried() -> Answer | None:
        answer = hand_in(port, body, idempotency_key=key)
        return answer if answer.status == 202 else None

    found: Answer = until(tried, "it is accepted", seconds)
    return found


@pytest.mark.parametrize("store", STORES)
@pytest.mark.fault(0, "Jobs: the store is down when a document is handed in")
def test_down_at_submit(fleet_of: FleetOf, record: Record, store: StoreName) -> None:
    number = next(NUMBERS)
    body = client.document(number, pages=PAGES)
    with running(fleet_of, store) as (fleet, database):
        port = fleet.gateways[0].port
        with down(fleet, database):
            answer = record.answer(f"{store}: meanwhile", hand_in(port, body, idempotency_key="key"))
            assert (answer.status, answer.code) == (503, "store_unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert answer.seconds < 8
        again = accepted(port, body, "key")
        record.answer(f"{store}: afterwards", again)
        job = job_of(again)
        ended(fleet, job)
        check_result(fleet, job, number, PAGES)
        assert [one["id"] for one in client.ask(port, "?limit=100").json["jobs"]] == [job]
        assert all(member.runs for member in fleet.members)
    record.also("nothing of the refused one is kept; no process ended")


@pytest.mark.parametrize("moment", ["in the middle", "at the last page"])
@pytest.mark.parametrize("store", STORES)
@pytest.mark.fault(0, "Jobs: the store is down for longer than the lease while a document is read")
def test_down_while_reading(fleet_of: FleetOf, record: Record, store: StoreName, moment: str) -> None:
    number = next(NUMBERS)
    held = 3 if moment == "in the middle" else PAGES
    with running(fleet_of, store) as (fleet, database):
        port = fleet.gateways[0].port
        fleet.pages.hold(number, *range(held, PAGES + 1))
        job = job_of(hand_in(port, client.document(number, pages=PAGES)))
        until(lambda: len(stored(port, job)) == held - 1, "the pages before are stored", 15)
        with down(fleet, database):
            fleet.pages.let_go()
            time.sleep(2 * LEASE_SECONDS)
        began = time.monotonic()
        until(lambda: client.ask(port, f"/{job}").status == 200, "the gateway works again", 30)
        ended(fleet, job, 60)
        record.saw(f"{store}, {moment}: from its return to the end", "complete", time.monotonic() - began)
        check_result(fleet, job, number, PAGES)
        check_read_once(fleet, number, range(1, held))
        assert all(member.runs for member in fleet.members)
    record.also("no page that was stored is read again; no process ended")


@pytest.mark.parametrize("store", STORES)
@pytest.mark.fault(0, "Jobs: the limits of stored bytes")
def test_limits_of_bytes(fleet_of: FleetOf, record: Record, store: StoreName) -> None:
    number = next(NUMBERS)
    limits = {"JOBS_MAX_MIB": "3.3", "JOBS_MAX_KEY_MIB": "2"}
    body = client.form("tiff", make("tiff", number, PAGES) + os.urandom(MIB))
    large = client.form("tiff", make("tiff", number, PAGES) + os.urandom(3 * MIB // 2))
    with fleet_of(store, gateway=limits).running() as fleet:
        port = fleet.gateways[0].port
        jobs = [job_of(hand_in(port, body, name=name)) for name in ("red", "green")]
        of_key = record.answer(f"{store}: over the key's limit", hand_in(port, body, name="red"))
        assert (of_key.status, of_key.code) == (429, "too_many_jobs")
        of_all = record.answer(f"{store}: over the limit of all", hand_in(port, large, name="blue"))
        assert (of_all.status, of_all.code) == (503, "no_space")
        for job, name in zip(jobs, ("red", "green"), strict=True):
            ended(fleet, job, name=name)
            assert client.ask(port, f"/{job}", name, "DELETE").status == 204
        again = record.answer(f"{store}: after a removal", hand_in(port, body, name="red"))
        ended(fleet, job_of(again))
        check_result(fleet, job_of(again), number, PAGES)
        listed = {name: len(client.ask(port, "?limit=10", name).json["jobs"]) for name in KEYS}
        assert listed == {"red": 1, "green": 0, "blue": 0}
    record.also("nothing half kept; goes on with room")


@contextlib.contextmanager
def small(fleet_of: FleetOf, store: StoreName) -> Iterator[tuple[Fleet, Path]]:
    """A fleet whose store has few MiB, and the folder that has them."""
    with contextlib.ExitStack() as opened:
        if store == "sqlite":
            fleet = fleet_of(store)
            fleet.jobs_folder.mkdir()
            folder = opened.enter_context(small_disk(fleet.jobs_folder, 32))  # 16 of them are its reserve
        else:
            server = opened.enter_context(postgres_server(durable=True))
            folder = server.folder / "space"
            folder.mkdir()
            opened.enter_context(small_disk(folder, 24))  # tables; the log of transactions is elsewhere
            give(folder, like=server.folder)
            server.query(f"CREATE TABLESPACE small LOCATION '{folder}'", "postgres")
            server.query("CREATE DATABASE small TABLESPACE small", "postgres")
            fleet = fleet_of(store, server.url("small"))
        yield opened.enter_context(fleet.running()), folder


@pytest.mark.parametrize("store", STORES)
@pytest.mark.fault(0, "Jobs: the store's disk is full")
def test_full_disk(fleet_of: FleetOf, record: Record, store: StoreName) -> None:
    number, running_number = next(NUMBERS), next(NUMBERS)
    body = client.form("tiff", make("tiff", number, PAGES) + os.urandom(3 * MIB))
    with small(fleet_of, store) as (fleet, folder):
        port = fleet.gateways[0].port
        fleet.pages.hold(running_number, *range(3, PAGES + 1))
        job = job_of(hand_in(port, client.document(running_number, pages=PAGES)))
        until(lambda: len(stored(port, job)) == 2, "two pages are stored", 15)
        filler = fill(folder, 0)
        refused = record.answer(f"{store}: a document", hand_in(port, body, idempotency_key="key"))
        assert (refused.status, refused.code) == (503, "no_space")
        assert [one["id"] for one in client.ask(port, "?limit=100").json["jobs"]] == [job]
        fleet.pages.let_go()
        time.sleep(LEASE_SECONDS)
        assert client.status(port, job)["status"] not in client.FINAL
        filler.unlink()
        began = time.monotonic()
        ended(fleet, job, 60)
        record.saw(
            f"{store}: a document that was being read, with room again", "complete", time.monotonic() - began
        )
        check_result(fleet, job, running_number, PAGES)
        check_read_once(fleet, running_number, (1, 2))
        again = job_of(record.answer(f"{store}: the first one, with room again", accepted(port, body, "key")))
        ended(fleet, again)
        check_result(fleet, again, number, PAGES)
        assert all(member.runs for member in fleet.members)
    record.also("nothing half kept; goes on by itself")


LOSS = "Jobs: power loss (the files of the store as they are at an instant)"


def check_all_there(fleet: Fleet, known: dict[str, int]) -> float:
    """Every job that had its 202 is there and ends; the seconds."""
    began = time.monotonic()
    for job, number in known.items():
        ended(fleet, job, 40)
        check_result(fleet, job, number, 1)
    return time.monotonic() - began


@contextlib.contextmanager
def half_handed_in(port: int) -> Iterator[dict[str, int]]:
    """Three clients hand pictures in; the jobs so far, when there are half of them."""
    bodies = {number: client.document(number, "picture") for number in itertools.islice(NUMBERS, 60)}
    handed: dict[str, int] = {}

    def one(number: int) -> None:
        handed[job_of(hand_in(port, bodies[number]))] = number

    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(one, number) for number in bodies]
        until(lambda: len(handed) >= len(bodies) / 2, "half of them are handed in", 30)
        yield handed
        for submitted in done:
            submitted.result()


@pytest.mark.fault(0, LOSS)
def test_power_loss_of_sqlite(fleet_of: FleetOf, tmp_path: Path, record: Record) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    fleet = fleet_of("sqlite")
    with fleet.running(), half_handed_in(fleet.gateways[0].port) as handed:
        fleet.gateways[0].pause()
        known = dict(handed)
        for name in ("jobs.sqlite3", "jobs.sqlite3-wal"):  # the third file is shared memory
            shutil.copy(fleet.jobs_folder / name, copy)
        fleet.gateways[0].resume()
    with fleet_of("sqlite", folder="again", gateway={"JOBS_DIR": str(copy)}).running() as again:
        seconds = check_all_there(again, known)
    record.saw(f"sqlite: {len(known)} jobs with a 202 before it", "all complete", seconds)
    record.also("every 202 is there")


@pytest.mark.fault(0, LOSS)
def test_power_loss_of_postgres(fleet_of: FleetOf, record: Record) -> None:
    with postgres_server(durable=True) as database, tempfile.TemporaryDirectory(prefix="ocr-pg-") as copy:
        give(Path(copy), like=database.folder)
        url = database.create()
        fleet = fleet_of("postgres", url)
        with fleet.running(), half_handed_in(fleet.gateways[0].port) as handed:
            known = dict(handed)
            other = CopiedServer(database, Path(copy))
        other.start()
        try:
            with fleet_of("postgres", other.url(url.rpartition("/")[2]), folder="again").running() as again:
                seconds = check_all_there(again, known)
        finally:
            other.kill()
    record.saw(f"postgres: {len(known)} jobs with a 202 before it", "all complete", seconds)
    record.also("every 202 is there")
