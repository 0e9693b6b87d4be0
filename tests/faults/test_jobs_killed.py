"""SIGKILL of each process of a job, at each moment of its life."""

from __future__ import annotations

import http.client
import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults import client
from tests.faults.client import check_read_once, check_result, ended, hand_in, job_of, stored
from tests.faults.conftest import FleetOf, Record
from tests.faults.fleet import LEASE_SECONDS, Fleet
from tests.faults.held import Moment
from tests.faults.numbered import make, said
from tests.faults.pair import until
from tests.faults.receiver import Receiver
from tests.faults.rows import stored_pages
from tests.faults.wire import Answer
from tests.jobs.postgres import postgres_server

pytestmark = [pytest.mark.slow, pytest.mark.waits]

NUMBERS = itertools.count(1000)
PAGES = 6
PIECE = 1 << 20
CLAIM = r"UPDATE jobs SET .*claim_number="
FINAL = r"UPDATE jobs SET .*finished="


def tried(port: int, body: bytes, key: str) -> Answer | None:
    """The answer to a document; None if the connection ended without one."""
    try:
        return hand_in(port, body, idempotency_key=key)
    except (OSError, http.client.HTTPException):
        return None


def long_document(number: int) -> bytes:
    """Its file has two pieces."""
    return client.form("tiff", make("tiff", number, PAGES) + bytes(PIECE))


def ids(fleet: Fleet) -> set[str]:
    return {job["id"] for job in client.ask(fleet.gateways[0].port, "?limit=100").json["jobs"]}


SUBMITTING: dict[str, tuple[Moment, str]] = {
    "before the commit of a piece": ("before", "INSERT INTO inputs"),
    "after the commit of a piece": ("after", "INSERT INTO inputs"),
    "before the commit of the job": ("before", "INSERT INTO jobs"),
    "after the commit of the job, before its 202": ("after", "INSERT INTO jobs"),
}


@pytest.mark.parametrize("moment", SUBMITTING)
@pytest.mark.fault(0, "Jobs: the gateway is killed while a document is handed in")
def test_the_gateway_is_killed(fleet: Fleet, record: Record, moment: str) -> None:
    number, gateway = next(NUMBERS), fleet.gateways[0]
    body, key = long_document(number), f"key-{number}"
    before = ids(fleet)
    fleet.stop.at(*SUBMITTING[moment])
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(tried, gateway.port, body, key)
        assert fleet.stop.wait() == gateway.pid
        gateway.kill()
        assert first.result() is None, "no 202 was sent"
    gateway.start().wait_alive()
    was_there = ids(fleet) - before
    assert len(was_there) == (moment in list(SUBMITTING)[3:])
    again = hand_in(gateway.port, body, idempotency_key=key)
    job = job_of(again)
    assert ids(fleet) - before == was_there | {job} == {job}
    ended(fleet, job)
    check_result(fleet, job, number, PAGES)
    record.saw(f"{fleet.store}: {moment}; the same request again", f"{again.status}, one job", again.seconds)
    record.also("the result is whole")


READING: dict[str, tuple[Moment, str]] = {
    "before the commit of its claim": ("before", CLAIM),
    "after the commit of its claim": ("after", CLAIM),
    "before the commit of a page": ("before", "INSERT INTO pages"),
    "after the commit of a page": ("after", "INSERT INTO pages"),
    "before the commit of the final state": ("before", FINAL),
    "after the commit of the final state": ("after", FINAL),
}


@pytest.mark.parametrize("moment", READING)
@pytest.mark.fault(0, "Jobs: the worker is killed while it reads a document")
def test_the_worker_is_killed(fleet: Fleet, record: Record, receiver: Receiver, moment: str) -> None:
    number, gateway = next(NUMBERS), fleet.gateways[0]
    fleet.stop.at(*READING[moment])
    job = job_of(
        hand_in(gateway.port, client.document(number, pages=PAGES), query={"webhook_url": receiver.url()})
    )
    worker = fleet.member(fleet.stop.wait())
    worker.kill()
    before = stored_pages(fleet, job)
    began = time.monotonic()
    worker.start().wait_alive()
    ended(fleet, job)
    record.saw(f"{fleet.store}: {moment}; from the kill to the end", "complete", time.monotonic() - began)
    check_result(fleet, job, number, PAGES)
    check_read_once(fleet, number, before)
    check_delivered(receiver, job)
    record.also("no page that was stored is read again; the webhook arrives, always with one id")


def check_delivered(receiver: Receiver, job: str, attempts: int | None = None) -> None:
    until(lambda: receiver.arrived(job), "the webhook arrives", 10)
    found = receiver.of(job)
    assert len({delivery.id for delivery in found}) == 1
    assert all(delivery.sound for delivery in found)
    assert attempts in (None, len(found))


@pytest.mark.fault(0, "Jobs: the model server is killed in the middle of a document")
def test_the_model_server_is_killed(fleet: Fleet, record: Record) -> None:
    number, gateway, model = next(NUMBERS), fleet.gateways[0], fleet.models[0]
    fleet.pages.hold(number, 3, 4)
    job = job_of(hand_in(gateway.port, client.document(number, pages=PAGES)))
    until(lambda: said(number, 3) in fleet.pages.begun(), "page 3 is begun", 10)
    until(lambda: {1, 2} <= stored(gateway.port, job), "the pages before are stored", 10)
    model.kill()
    fleet.pages.let_go()
    began = time.monotonic()
    model.start().wait_alive()
    assert ended(fleet, job)["attempts"] == 0, "no worker was lost"
    record.saw(f"{fleet.store}: from the kill to the end", "complete", time.monotonic() - began)
    check_result(fleet, job, number, PAGES)
    check_read_once(fleet, number, {1, 2})
    record.also("no page that was stored is read again; no attempt is counted")


DELIVERING: dict[str, tuple[Moment, int]] = {
    "after the delivery, before its commit": ("before", 2),
    "after the commit of the delivery": ("after", 1),
}


@pytest.mark.parametrize("moment", DELIVERING)
@pytest.mark.fault(0, "Jobs: the sender of a webhook is killed")
def test_the_sender_is_killed(fleet: Fleet, record: Record, receiver: Receiver, moment: str) -> None:
    number = next(NUMBERS)
    when, attempts = DELIVERING[moment]
    fleet.stop.at(when, "DELETE FROM hooks")
    job = job_of(hand_in(fleet.gateways[0].port, client.document(number), query={"webhook_url": receiver.url()}))
    sender = fleet.member(fleet.stop.wait())
    assert len(receiver.arrived(job)) == 1
    sender.kill()
    began = time.monotonic()
    sender.start().wait_alive()
    until(lambda: client.status(fleet.gateways[0].port, job)["webhook"] == "delivered", "delivered", 60)
    record.saw(f"{fleet.store}: {moment}", f"{attempts} attempts, one id", time.monotonic() - began)
    check_delivered(receiver, job, attempts)


ROUNDS = 3


@pytest.mark.fault(0, "Jobs: a worker is killed; another one takes its document over")
@pytest.mark.alone
def test_takeover(fleet_of: FleetOf, record: Record) -> None:
    """With SQLite the worker is the gateway, and only its own restart can take over."""
    with fleet_of("postgres", workers=2).running() as fleet:
        gateway, worst = fleet.gateways[0], 0.0
        for _ in range(ROUNDS):
            number = next(NUMBERS)
            fleet.pages.hold(number, *range(2, PAGES + 1))
            fleet.stop.at("after", "INSERT INTO pages")
            job = job_of(hand_in(gateway.port, client.document(number, pages=PAGES)))
            worker = fleet.member(fleet.stop.wait())
            worker.kill()
            killed = time.time()
            fleet.pages.let_go()
            begun = until(lambda: _begun_after(fleet, killed), "another worker begins a page", 30)  # noqa: B023
            worst = max(worst, begun - killed)
            ended(fleet, job)
            check_result(fleet, job, number, PAGES)
            worker.start().wait_alive()
    assert worst <= LEASE_SECONDS + 2
    record.saw(f"lease {LEASE_SECONDS:g} s, {ROUNDS} times: from the kill to the next page", "complete", worst)


def _begun_after(fleet: Fleet, moment: float) -> float | None:
    return next((when for _, when in fleet.pages.begun_at() if when > moment), None)


STORE_KILLED: dict[str, tuple[Moment, str, int]] = {
    "before the commit of the job": ("before", "INSERT INTO jobs", 503),
    "after the commit of the job": ("after", "INSERT INTO jobs", 202),
}


@pytest.mark.parametrize("moment", STORE_KILLED)
@pytest.mark.fault(0, "Jobs: PostgreSQL is killed while a document is handed in")
def test_the_store_is_killed_at_submit(fleet_of: FleetOf, record: Record, moment: str) -> None:
    number = next(NUMBERS)
    when, pattern, status = STORE_KILLED[moment]
    body = client.document(number, pages=PAGES)
    with (
        postgres_server(durable=True) as database,
        fleet_of("postgres", database.create()).running() as fleet,
        ThreadPoolExecutor(1) as pool,
    ):
        gateway = fleet.gateways[0]
        fleet.stop.at(when, pattern)
        first = pool.submit(tried, gateway.port, body, "key")
        assert fleet.stop.wait() == gateway.pid
        database.kill()
        gateway.resume()
        answer = first.result()
        assert answer is not None
        assert answer.status == status, answer.body
        record.answer(moment, answer)
        database.start()
        job = job_of(until(lambda: _accepted(gateway.port, body), "the gateway works again", 20))
        if status == 202:
            assert answer.json["id"] == job
        ended(fleet, job)
        check_result(fleet, job, number, PAGES)
    record.also("each 202 has its job; the same request again: one job")


def _accepted(port: int, body: bytes) -> Answer | None:
    answer = hand_in(port, body, idempotency_key="key")
    return answer if answer.status == 202 else None


@pytest.mark.parametrize("moment", list(READING)[2:])
@pytest.mark.fault(0, "Jobs: PostgreSQL is killed while a document is read, and started again within the lease")
def test_the_store_is_killed_while_reading(fleet_of: FleetOf, record: Record, moment: str) -> None:
    number = next(NUMBERS)
    settings = {"JOBS_LEASE_SECONDS": "20"}
    with (
        postgres_server(durable=True) as database,
        fleet_of("postgres", database.create(), gateway=settings).running() as fleet,
    ):
        gateway = fleet.gateways[0]
        fleet.stop.at(*READING[moment])
        job = job_of(hand_in(gateway.port, client.document(number, pages=PAGES)))
        worker = fleet.member(fleet.stop.wait())
        database.kill()
        worker.resume()
        database.start()
        began = time.monotonic()
        until(lambda: client.ask(gateway.port, f"/{job}").status == 200, "the gateway works again", 20)
        assert ended(fleet, job, 40)["attempts"] == 0
        record.saw(f"{moment}; from the start to the end", "complete", time.monotonic() - began)
        check_result(fleet, job, number, PAGES)
        check_read_once(fleet, number, range(1, PAGES + 1))
    record.also("the worker keeps its pages meanwhile: none is read twice")
