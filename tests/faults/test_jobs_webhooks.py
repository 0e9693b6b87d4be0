"""Receivers of webhooks that are slow, down, or send their callers to places that are not allowed."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from tests.faults import client, held
from tests.faults.client import hand_in, job_of, status
from tests.faults.conftest import FleetOf, Record
from tests.faults.fleet import STORES, Fleet, Member, StoreName
from tests.faults.pair import until
from tests.faults.receiver import Receiver, receiving

pytestmark = [pytest.mark.slow, pytest.mark.waits]

NUMBERS = itertools.count(5000)
SLOW_JOBS = 12  # more than go to one host at once


def handed(fleet: Fleet, url: str) -> str:
    number = next(NUMBERS)
    body = client.document(number, "picture")
    return job_of(hand_in(fleet.gateways[0].port, body, query={"webhook_url": url}))


def delivered(fleet: Fleet, job: str) -> bool:
    return bool(status(fleet.gateways[0].port, job)["webhook"] == "delivered")


@pytest.mark.fault(0, "Jobs: a receiver of webhooks never answers")
def test_slow_receiver(fleet: Fleet, record: Record, receiver: Receiver) -> None:
    over = threading.Event()
    with receiving(host="127.0.0.2") as slow:

        def wait(_path: str, _times: int) -> int:
            over.wait(30)
            return 204

        slow.answers = wait
        late = [handed(fleet, slow.url()) for _ in range(SLOW_JOBS)]
        began = time.monotonic()
        job = handed(fleet, receiver.url())
        until(lambda: receiver.arrived(job), "the other one arrives", 10)
        record.saw(f"{fleet.store}: one of another host", "on time", time.monotonic() - began)
        until(lambda: delivered(fleet, job), "delivered", 10)
        over.set()
        until(lambda: all(delivered(fleet, one) for one in late), "its own arrive later", 60)
        for one in late:
            assert len({delivery.id for delivery in slow.of(one)}) == 1
    record.also("tried again, with the same id")


@pytest.mark.fault(0, "Jobs: a receiver of webhooks is down, and comes back")
def test_down_receiver(fleet: Fleet, record: Record, receiver: Receiver) -> None:
    receiver.close()
    job = handed(fleet, receiver.url())
    client.ended(fleet, job)
    time.sleep(1)
    assert status(fleet.gateways[0].port, job)["webhook"] == "pending"
    with receiving(receiver.port) as back:
        began = time.monotonic()
        until(lambda: back.arrived(job), "it arrives", 20)
        record.saw(f"{fleet.store}: from its return", "delivered", time.monotonic() - began)
        until(lambda: delivered(fleet, job), "delivered", 10)


@pytest.mark.fault(0, "Jobs: a receiver of webhooks answers with a redirect to a private address")
def test_redirect(fleet: Fleet, record: Record, receiver: Receiver) -> None:
    with receiving() as trap:
        receiver.location = trap.url("/secret")
        receiver.answers = lambda _path, times: 302 if times == 0 else 204
        job = handed(fleet, receiver.url())
        until(lambda: delivered(fleet, job), "delivered at another try", 20)
        assert not trap.deliveries
    assert len(receiver.of(job)) == 2
    record.saw(f"{fleet.store}: 302", "never followed; tried again", 0)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.fault(0, "Jobs: the name of a receiver of webhooks has another address at each look-up")
def test_rebinding(fleet_of: FleetOf, tmp_path: Path, record: Record, store: StoreName) -> None:
    """Only 127.0.0.2 is allowed; the trap is at the same port of 127.0.0.3."""
    names = tmp_path / "names"
    with receiving(host="127.0.0.2") as allowed, receiving(allowed.port, host="127.0.0.3") as trap:
        names.write_bytes(orjson.dumps({"rebinds.test": ["127.0.0.2", "127.0.0.3"]}))
        allowed.answers = lambda _path, _times: 500
        settings = {"WEBHOOK_ALLOW": "127.0.0.2/32"}
        environment = {held.NAMES: str(names)}
        with fleet_of(store, gateway=settings, environment=environment).running() as fleet:
            job = handed(fleet, f"http://rebinds.test:{allowed.port}/")
            until(lambda: allowed.of(job), "the first try, at the address that is allowed", 20)
            hooks = [member for member in fleet.members if member.service.module == "api_gateway"]
            failures = until(lambda: _failures(hooks), "the second try", 20)
            assert not trap.deliveries
            assert client.ended(fleet, job)["status"] == "complete"
    record.saw(f"{store}: first an allowed address, then another", "never connected to", 0)
    record.also(f"the job keeps its result; {failures} tries failed")


def _failures(members: Sequence[Member]) -> int:
    found = sum("webhook" in line["event"] for member in members for line in member.lines())
    return found if found >= 2 else 0
