"""Workers that are stopped, hang, are killed by a document, have a wrong clock, or are replaced."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.documents import make as pdfs
from tests.faults import client, held, murderous
from tests.faults.client import check_read_once, check_result, ended, hand_in, job_of, lines
from tests.faults.conftest import FleetOf, Record
from tests.faults.fleet import LEASE_SECONDS, STORES, Fleet, Member, StoreName
from tests.faults.numbered import said
from tests.faults.pair import until
from tests.faults.rows import stored_pages

pytestmark = [pytest.mark.slow, pytest.mark.waits]

NUMBERS = itertools.count(2000)
PAGES = 8


@pytest.mark.fault(0, "Jobs: a worker is stopped (SIGSTOP) past its lease, and woken")
def test_a_worker_is_stopped(fleet: Fleet, record: Record) -> None:
    number, gateway, pages = next(NUMBERS), fleet.gateways[0], 20
    fleet.pages.hold(number, pages)  # so far behind that the stopped worker has not sent it
    fleet.stop.at("after", "INSERT INTO pages")
    job = job_of(hand_in(gateway.port, client.document(number, pages=pages)))
    worker = fleet.member(fleet.stop.wait())
    sent = _settled(fleet)
    kept = stored_pages(fleet, job)
    if fleet.store == "sqlite":
        time.sleep(1.5 * LEASE_SECONDS)  # nobody else can say when its lease has ended
        worker.resume()
    else:
        # Up to 40 s if it has stopped in a transaction of another page.
        until(lambda: said(number, pages) in fleet.pages.begun(), "another worker takes over", 60)
        others = _settled(fleet)
        worker.resume()
        until(lambda: _attempts(worker, job), "it notices", 10)
        assert fleet.pages.begun() == others, "it begins no page any more"
    assert _attempt_ended(worker, job) == "lost"
    taken_over = time.time()
    fleet.pages.let_go()
    ended(fleet, job)
    record.saw(f"{fleet.store}: its job", "complete, by another claim", time.time() - taken_over)
    check_result(fleet, job, number, pages)
    check_read_once(fleet, number, kept | {page for page in range(1, pages + 1) if said(number, page) not in sent})
    record.also("it begins no page any more, and none of its writes counts")


def _settled(fleet: Fleet) -> list[str]:
    """The pages that are begun, when the workers have begun all that they can while pages are held."""
    seen, since = fleet.pages.begun(), time.monotonic()

    def settled() -> bool:
        nonlocal seen, since
        if (now := fleet.pages.begun()) != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > 1

    until(settled, "no page is begun any more", 20)
    return seen


def _attempts(worker: Member, job: str) -> list[str]:
    """How the worker's attempts at this job ended."""
    return [line["outcome"] for line in worker.lines() if line["event"] == "job" and line.get("job") == job]


def _attempt_ended(worker: Member, job: str) -> str:
    found: list[str] = until(lambda: _attempts(worker, job), "an attempt has ended", 20)
    return found[0]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("store", STORES)
@pytest.mark.fault(0, "Jobs: a worker hangs, but its process lives")
def test_a_worker_hangs(fleet_of: FleetOf, tmp_path: Path, record: Record, store: StoreName) -> None:
    hang = tmp_path / "hang"
    settings = {"REQUEST_TIMEOUT_SECONDS": "2", "SPLITTER_TIMEOUT_SECONDS": "1"}
    environment = {held.HANG: str(hang)}
    with fleet_of(store, workers=2, gateway=settings, environment=environment).running() as fleet:
        number = next(NUMBERS)
        hang.touch()
        began = time.monotonic()
        job = job_of(hand_in(fleet.gateways[0].port, client.document(number, pages=PAGES)))
        ended(fleet, job, 150)
        record.saw(f"{store}: its document, read by another claim", "complete", time.monotonic() - began)
        assert not hang.exists()
        check_result(fleet, job, number, PAGES)
    record.also("a lease is renewed only while pages come")


@contextmanager
def restarted(members: list[Member]) -> Iterator[list[str]]:
    """Start each member again when it ends, as Kubernetes does; yields the names of those that ended."""
    over = threading.Event()
    found: list[str] = []

    def watch() -> None:
        while not over.wait(0.05):
            for member in members:
                if not member.runs:
                    found.append(member.name)
                    member.start()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


MURDEROUS = {
    "ENVIRONMENT": "test",
    "TEST_SPLITTER": "tests.faults.murderous",
    "JOBS_LEASE_SECONDS": "1",
}


@pytest.mark.timeout(400)  # about seven starts
@pytest.mark.parametrize("store", STORES)
@pytest.mark.fault(0, "Jobs: a document kills its worker, every time")
def test_a_document_kills_its_worker(fleet_of: FleetOf, record: Record, store: StoreName) -> None:
    page = pdfs.joined(pdfs.digital("before"), pdfs.sized(murderous.PAGE, 300), pdfs.digital("behind"))
    opening = pdfs.sized(murderous.DOCUMENT, 300)
    with fleet_of(store, workers=1, gateway=MURDEROUS).running() as fleet, restarted(fleet.workers) as deaths:
        port = fleet.gateways[0].port
        neighbours = {number: client.document(number, pages=PAGES) for number in (next(NUMBERS), next(NUMBERS))}
        began = time.monotonic()
        handed = [
            _accepted(port, body, f"{place}")
            for place, body in enumerate(
                (client.form("pdf", page), client.form("pdf", opening), *neighbours.values())
            )
        ]
        for job in handed:
            until(lambda: _final(port, job), "it ends", 60)  # noqa: B023
        partial, failed = (client.status(port, job) for job in handed[:2])
        record.saw(f"{store}: at its second page", "the page: worker_lost", time.monotonic() - began)
        record.saw(f"{store}: when it is opened", "failed, document_kills_worker", 0)
        assert (failed["status"], failed["code"]) == ("failed", "document_kills_worker")
        assert failed["attempts"] == 3
        assert partial["status"] == "partial", partial
        assert [one.get("code") for one in lines(port, handed[0])] == [None, "worker_lost", None]
        for job, number in zip(handed[2:], neighbours, strict=True):
            check_result(fleet, job, number, PAGES)
    record.also(f"its neighbours are whole; a worker died at most {len(deaths)} times")
    assert len(deaths) <= 7


def _accepted(port: int, body: bytes, key: str) -> str:
    """Hand it in; a gateway that is also the worker may die meanwhile."""

    def accepted() -> str | None:
        try:
            answer = hand_in(port, body, idempotency_key=key)
        except OSError:
            return None
        return job_of(answer) if answer.status == 202 else None

    return str(until(accepted, "it is accepted", 30))


def _final(port: int, job: str) -> bool:
    try:
        answer = client.ask(port, f"/{job}")
    except OSError:
        return False
    return answer.status == 200 and answer.json["status"] in client.FINAL


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.fault(0, "Jobs: a worker's clock is an hour off")
def test_a_clock_is_off(fleet_of: FleetOf, record: Record, hours: int) -> None:
    """With SQLite, worker and store have one clock."""
    fleet = fleet_of("postgres", workers=1)
    fleet.workers.append(
        fleet.gateway("ahead", {"JOBS_ROLE": "worker"}, {held.CLOCK: f"{3600 * hours}", **fleet.stop.environment})
    )
    with fleet.running():
        number, gateway = next(NUMBERS), fleet.gateways[0]
        off = fleet.workers[-1]
        fleet.workers[0].pause()  # so that the other one takes the job
        fleet.pages.hold(number, PAGES)
        began = time.time()
        job = job_of(hand_in(gateway.port, client.document(number, pages=PAGES)))
        until(lambda: said(number, PAGES) in fleet.pages.begun(), "the last page is begun", 10)
        fleet.workers[0].resume()
        time.sleep(2 * LEASE_SECONDS)  # time in which the job must not go to the other worker
        fleet.pages.let_go()
        found = ended(fleet, job)
        assert _attempt_ended(off, job) == "finished"
        assert len(_attempts(off, job)) == 1
        assert _attempts(fleet.workers[0], job) == []
        assert found["attempts"] == 0
        for name in ("created", "started", "finished"):
            assert abs(datetime.fromisoformat(found[name]).timestamp() - began) < 60, found
        assert datetime.fromisoformat(found["expires"]) > datetime.now(UTC)
        check_result(fleet, job, number, PAGES)
        check_read_once(fleet, number, range(1, PAGES + 1))
    record.saw(f"{hours:+d} h: a document of {PAGES} pages", "complete, by that worker", 0)
    record.also("no effect: the lease holds, times are the store's")


@pytest.mark.fault(0, "Jobs: every worker gets SIGTERM and is replaced, as in a rolling update")
def test_a_rolling_update(fleet: Fleet, record: Record) -> None:
    number, gateway = next(NUMBERS), fleet.gateways[0]
    pages = 40
    fleet.pages.hold(number, pages)  # so that it lasts
    job = job_of(hand_in(gateway.port, client.document(number, pages=pages, seconds=0.1)))
    began = time.monotonic()
    slowest = 0.0
    for worker in fleet.workers:
        until(lambda: client.status(gateway.port, job)["status"] == "running", "a page is read", 10)
        terminated = time.monotonic()
        assert worker.stop() == 0
        slowest = max(slowest, time.monotonic() - terminated)
        worker.start().wait_alive()
    fleet.pages.let_go()
    found = ended(fleet, job, 60)
    assert found["attempts"] == 0, "no attempt is counted"
    check_result(fleet, job, number, pages)
    record.saw(f"{fleet.store}: SIGTERM, until the process has ended", "exit 0", slowest)
    record.saw(f"{fleet.store}: a document of {pages} pages", "complete", time.monotonic() - began)
    record.also("no attempt is counted, no page is lost")
