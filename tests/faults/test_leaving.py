"""Clients that disconnect: fault 18."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults import engines
from tests.faults.conftest import Record
from tests.faults.engines import Fault
from tests.faults.pair import KNOWN, Pair, metrics, until
from tests.faults.replaced import replaced, restarts
from tests.faults.wire import Wire

WAYS: dict[str, Callable[[Wire], None]] = {"closes": Wire.close, "resets": Wire.reset}
A_SECOND = 1.0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.fault(18, "The client goes while its page is being read, and while it waits")
def test_18_client_gone(pair: Pair, record: Record, way: str) -> None:
    before = restarts(pair)
    begun = metrics(pair.model.service)["ocr_queue_wait_seconds_count"]
    running = [Wire(pair.gateway.port, *pair.upload(engines.picture(Fault.SPIN))) for _ in range(2)]
    pair.wait_until_working(2)
    until(lambda: metrics(pair.model.service)["ocr_queue_wait_seconds_count"] == begun + 2, "both begun")
    waiting = [Wire(pair.gateway.port, *pair.upload(engines.picture(Fault.SPIN))) for _ in range(3)]
    until(lambda: metrics(pair.model.service)["ocr_queue_length"] == 3, "three wait")

    for wire in waiting:
        WAYS[way](wire)
        pair.gateway.count("client_gone")
    left = time.monotonic()
    until(lambda: metrics(pair.model.service)["ocr_queue_length"] == 0, "nobody waits", A_SECOND)
    record.saw(f"{way} while waiting", "off the queue", time.monotonic() - left)

    spinning = {worker.pid for worker in pair.workers()}
    for wire in running:
        WAYS[way](wire)
        pair.gateway.count("client_gone")
    left = time.monotonic()
    until(lambda: not spinning & {worker.pid for worker in pair.workers()}, "the work has stopped", A_SECOND)
    record.saw(f"{way} while its page is read", "its worker is stopped", time.monotonic() - left)
    replaced(pair, before, abandoned=2)
    assert metrics(pair.model.service)["ocr_queue_wait_seconds_count"] == begun + 2, "the others were never begun"
    used = pair.cpu_seconds()
    time.sleep(0.5)  # a rate is measured
    assert pair.cpu_seconds() - used < 0.1, "no core is busy"
    record.also("no core is busy with it within a second")
    record.whole(pair)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.fault(0, "The client goes while its body arrives")
def test_client_gone_in_mid_body(pair: Pair, record: Record, way: str) -> None:
    head, body = pair.upload(KNOWN)
    for part in (b"", body[:50], body[:-10]):
        wire = Wire(pair.gateway.port, head, part)
        in_flight(pair)
        WAYS[way](wire)
        pair.gateway.count("client_gone")
    pair.wait_idle()
    record.saw(way, "nothing to tell", 0)
    record.whole(pair)


def in_flight(pair: Pair) -> None:
    until(lambda: metrics(pair.gateway.service)["gateway_in_flight"] > 0, "it has begun")


@pytest.mark.fault(0, "Clients go at the moment their answer is ready")
def test_client_gone_at_the_last_moment(pair: Pair, record: Record) -> None:
    """Whichever is first, there is one outcome, and the worker is not lost."""
    took = max(pair.read(KNOWN).seconds for _ in range(5))

    def go(at: int) -> None:
        with Wire(pair.gateway.port, *pair.upload(KNOWN)):
            time.sleep(took * at / 25)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(go, range(50)))
    until(lambda: len(pair.gateway.new_access()) == 55, "each has its line")
    pair.wait_idle()
    for line in pair.gateway.new_access()[5:]:
        assert line["outcome"] in ("ok", "client_gone")
        pair.gateway.count(line["outcome"])
    record.saw("50 clients, at 50 moments", "ok or client_gone", took)
    record.whole(pair)
