"""What clients do to jobs: the same request many times, cancel at each moment, come too late, flood."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from api_gateway.jobs.sql.postgres import PostgresDriver
from api_gateway.jobs.sql.sqlite import SqliteDriver
from api_gateway.jobs.sql_store import SqlStore
from api_gateway.order import Order
from service_kit.page import Parameters
from tests.documents import make as pdfs
from tests.faults import client
from tests.faults.client import FINAL, JOBS, ask, check_result, ended, hand_in, job_of, status
from tests.faults.conftest import FleetOf, Record
from tests.faults.fleet import KEYS, STORES, Fleet, StoreName
from tests.faults.numbered import make, said
from tests.faults.pair import peak_mib, until
from tests.faults.receiver import Receiver
from tests.faults.wire import Wire, head
from tests.jobs.stores import FREE, new_job

pytestmark = [pytest.mark.slow, pytest.mark.waits]

NUMBERS = itertools.count(4000)
PAGES = 6
AT_ONCE = 20


@pytest.mark.fault(0, "Jobs: the same Idempotency-Key, 20 times at once, and with another file")
def test_one_key(fleet: Fleet, record: Record) -> None:
    number, other = next(NUMBERS), next(NUMBERS)
    body = client.form("tiff", make("tiff", number, PAGES) + bytes(1 << 20))
    ports = itertools.cycle(gateway.port for gateway in fleet.gateways)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        handed = [pool.submit(hand_in, next(ports), body, idempotency_key=f"{number}") for _ in range(AT_ONCE)]
        answers = [each.result() for each in handed]
    (job,) = {job_of(answer) for answer in answers}
    slowest = max(answers, key=lambda answer: answer.seconds)
    record.saw(f"{fleet.store}: each of the 20", "202, one job", slowest.seconds)
    port = fleet.gateways[0].port
    wrong = record.answer(
        f"{fleet.store}: another file", hand_in(port, client.document(other), idempotency_key=f"{number}")
    )
    assert (wrong.status, wrong.code) == (422, "idempotency_mismatch")
    parameters = hand_in(port, body, idempotency_key=f"{number}", query={"psm": "6"})
    assert (parameters.status, parameters.code) == (422, "idempotency_mismatch")
    others = job_of(hand_in(port, body, name="green", idempotency_key=f"{number}"))
    assert others != job, "another tenant's key"
    ended(fleet, job)
    ended(fleet, others, name="green")
    check_result(fleet, job, number, PAGES)
    assert job_of(hand_in(port, body, idempotency_key=f"{number}")) == job, "also after its end"
    assert fleet.pages.begun().count(said(number, 1)) == 2, "once per tenant"


def cancel(fleet: Fleet, job: str) -> int:
    return ask(fleet.gateways[0].port, f"/{job}", method="DELETE").status


def events(receiver: Receiver, job: str) -> set[tuple[str, str]]:
    return {(delivery.id, delivery.body["type"]) for delivery in receiver.of(job)}


@pytest.mark.fault(0, "Jobs: a client cancels")
def test_cancel_running(fleet: Fleet, record: Record, receiver: Receiver) -> None:
    number, port = next(NUMBERS), fleet.gateways[0].port
    fleet.pages.hold(number, *range(3, 40))
    job = job_of(hand_in(port, client.document(number, pages=40), query={"webhook_url": receiver.url()}))
    until(lambda: said(number, 3) in fleet.pages.begun(), "page 3 is begun", 10)
    assert cancel(fleet, job) == 204
    began = time.monotonic()
    assert status(port, job)["status"] == "cancelled"
    until(lambda: fleet.models[0].metrics["ocr_in_flight"] == 0, "its pages are stopped", 10)
    record.saw(f"{fleet.store}: while it runs", "cancelled, its pages stopped", time.monotonic() - began)
    fleet.pages.let_go()
    begun = fleet.pages.begun()
    until(lambda: receiver.arrived(job), "the webhook arrives", 10)
    assert {kind for _, kind in events(receiver, job)} == {"ocr.job.cancelled"}
    assert status(port, job)["status"] == "cancelled"
    assert fleet.pages.begun() == begun
    assert cancel(fleet, job) == 204
    assert ask(port, f"/{job}").status == 404
    record.also("one event; removed by another DELETE")


@pytest.mark.parametrize("store", STORES)
@pytest.mark.fault(0, "Jobs: a client cancels")
def test_cancel_queued(fleet_of: FleetOf, record: Record, receiver: Receiver, store: StoreName) -> None:
    settings = {"JOBS_MAX_RUNNING": "1"}
    with fleet_of(store, gateway=settings).running() as fleet:
        first, number, port = next(NUMBERS), next(NUMBERS), fleet.gateways[0].port
        fleet.pages.hold(first, 1)
        running = job_of(hand_in(port, client.document(first)))
        until(lambda: said(first, 1) in fleet.pages.begun(), "the first one runs", 10)
        job = job_of(hand_in(port, client.document(number), query={"webhook_url": receiver.url()}))
        assert status(port, job)["position"] == 0
        assert cancel(fleet, job) == 204
        assert status(port, job)["status"] == "cancelled"
        fleet.pages.let_go()
        ended(fleet, running)
        until(lambda: receiver.arrived(job), "the webhook arrives", 10)
        assert {kind for _, kind in events(receiver, job)} == {"ocr.job.cancelled"}
        assert said(number, 1) not in fleet.pages.begun()
    record.saw(f"{store}: while it is queued", "cancelled, never begun", 0)


@pytest.mark.fault(0, "Jobs: a client cancels in the last page")
def test_cancel_in_the_last_page(fleet: Fleet, record: Record, receiver: Receiver) -> None:
    """Jobs of one page, each cancelled at another moment: there is one event, and it agrees with the answers."""
    port, seen = fleet.gateways[0].port, set()
    rng = random.Random(1)
    for _ in range(30):
        number = next(NUMBERS)
        job = job_of(hand_in(port, client.document(number, "picture"), query={"webhook_url": receiver.url()}))
        time.sleep(rng.uniform(0, 0.15))
        assert cancel(fleet, job) == 204
        left = ask(port, f"/{job}")
        state = left.json["status"] if left.status == 200 else "removed"
        seen.add(state)
        assert state in ("cancelled", "removed")
        if state == "cancelled":
            until(lambda: receiver.arrived(job), "the webhook arrives", 10)  # noqa: B023
        found = events(receiver, job)
        assert len(found) <= 1
        if state == "cancelled":
            assert {kind for _, kind in found} == {"ocr.job.cancelled"}
        else:  # it was complete before; its webhook may have been removed with it
            assert {kind for _, kind in found} <= {"ocr.job.complete"}
    record.saw(f"{fleet.store}: 30 jobs, at 30 moments", " or ".join(sorted(seen)), 0)
    record.also("one event each, which agrees")


@pytest.mark.fault(0, "Jobs: a job's time is over while it runs")
def test_expiry_while_running(fleet: Fleet, record: Record) -> None:
    number, port = next(NUMBERS), fleet.gateways[0].port
    fleet.pages.hold(number, PAGES)
    job = job_of(hand_in(port, client.document(number, pages=PAGES), query={"ttl": "2"}))
    time.sleep(4)
    assert status(port, job)["status"] == "running"
    fleet.pages.let_go()
    ended(fleet, job)
    check_result(fleet, job, number, PAGES)
    over = time.monotonic()
    until(lambda: ask(port, f"/{job}").status == 404, "it has expired", 10)
    record.saw(f"{fleet.store}: ttl 2 s, from its end until it is gone", "404", time.monotonic() - over)
    assert ask(port, f"/{job}/result").status == 404
    record.also("a running job never expires")


@pytest.mark.fault(0, "Jobs: a job expires while its result is being downloaded")
def test_expiry_while_downloading(fleet: Fleet, record: Record) -> None:
    port, pages = fleet.gateways[0].port, 300
    text = "\n".join("letters of a page that has very many of them" for _ in range(33))
    body = client.form("digital", pdfs.digital(*[text] * pages))
    job = job_of(hand_in(port, body, query={"ttl": "3"}))
    ended(fleet, job, 60)
    key = f"Authorization: Bearer {KEYS['red']}"
    whole = ask(port, f"/{job}/result?format=ndjson")
    assert whole.status == 200
    with Wire(port) as wire:
        wire.say(head(f"{JOBS}/{job}/result?format=ndjson", key, "Connection: close", method="GET"))
        first = wire.socket.recv(1000)
        assert first.startswith(b"HTTP/1.1 200")
        got = bytearray(first)
        while ask(port, f"/{job}").status != 404:  # slowly, until it has expired
            got += wire.socket.recv(1 << 16)
            time.sleep(0.05)
        assert len(got) < len(whole.body) / 2
        while piece := wire.socket.recv(1 << 16):
            got += piece
    record.saw(f"{fleet.store}: {len(whole.body) >> 20} MiB, begun before", "200, whole", wire.seconds())
    found = [orjson.loads(line) for line in bytes(got).splitlines() if line.startswith(b'{"page"')]
    assert [page["page"] for page in found] == list(range(1, pages + 1))


MANY = 10_000
ASKED = 200


def queue(fleet: Fleet, number: int, count: int) -> None:
    """Put pictures of the key red into the store of a fleet that does not run yet."""
    body = make("picture", number, 1)

    async def put() -> None:
        driver = PostgresDriver(fleet.database_url) if fleet.database_url else SqliteDriver(fleet.jobs_folder)
        store = SqlStore(driver, lambda _job: b"", FREE.store_bytes)
        await store.open()
        for _ in range(count // 1000):
            order = Order(Parameters(), "json", dpi=72)
            jobs = [
                new_job("red", order=order, kind="picture", size=len(body), ttl_seconds=3600.0)
                for _ in range(1000)
            ]
            await store.submit(jobs, FREE, {job.id: (0, body) for job in jobs})
        await store.close()

    asyncio.run(put())


def use(fleet: Fleet, number: int) -> tuple[dict[str, list[float]], int]:
    """Seconds of submissions and of questions, and the gateway's resident bytes afterwards."""
    gateway, body = fleet.gateways[0], client.document(number, "picture")
    handed = [hand_in(gateway.port, body) for _ in range(ASKED)]
    asked = [ask(gateway.port, f"/{job_of(answer)}") for answer in handed]
    assert {answer.status for answer in asked} == {200}
    seconds = {
        "submit": [answer.seconds for answer in handed],
        "status": [answer.seconds for answer in asked],
    }
    return seconds, gateway.process.memory_info().rss


@pytest.mark.alone
@pytest.mark.parametrize("store", STORES)
@pytest.mark.fault(0, "Jobs: one key has 10,000 queued; another hands one in")
def test_a_flood(fleet_of: FleetOf, record: Record, store: StoreName) -> None:
    settings = {"JOBS_AT_ONCE": "1", "JOBS_MAX_RUNNING": "1", "JOBS_MAX_QUEUED": f"{2 * MANY}"}
    number = next(NUMBERS)
    with fleet_of(store, folder="empty", gateway=settings).running() as fleet:
        fleet.pages.hold(number, 1)
        _, memory = use(fleet, number)
    fleet = fleet_of(store, gateway=settings)
    fleet.pages.hold(number, 1)
    queue(fleet, number, MANY)
    with fleet.running():
        port, other = fleet.gateways[0].port, next(NUMBERS)
        until(lambda: said(number, 1) in fleet.pages.begun(), "the first one runs", 20)
        times, with_queue = use(fleet, number)
        job = job_of(hand_in(port, client.document(other, "picture"), name="green"))
        assert status(port, job, "green")["position"] <= 1
        fleet.pages.let_go()
        began = time.monotonic()
        ended(fleet, job, 20, "green")
        record.saw(f"{store}: from the end of the one that runs", "complete", time.monotonic() - began)
        left = [one for one in ask(port, "?limit=100").json["jobs"] if one["status"] not in FINAL]
        assert len(left) == 100, "the flood waits"
        for what, seconds in times.items():
            record.saw(f"{store}: {what}, p95 of {ASKED}", "ok", statistics.quantiles(seconds, n=20)[-1])
        growth = with_queue / memory
        record.saw(f"{store}: memory of the gateway with 10,000 / with none", f"{growth:.2f}", 0)
        assert growth < 1.3
        assert peak_mib(fleet.gateways[0].pid) < 300
