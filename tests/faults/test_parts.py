"""A page that two workers read in parts, of which one dies or hangs, or whose client goes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.faults.conftest import Record
from tests.faults.pair import Pair, little, metrics, until
from tests.faults.parts import SHEET, Stop
from tests.faults.replaced import replaced, restarts
from tests.faults.wire import Wire


@dataclass
class Sharing:
    pair: Pair
    stop: Stop

    def helper(self) -> int:
        """The worker that has begun to read a part for the other one, and waits."""
        return int(until(self.stop.worker, "a part is begun", 10))

    def worker_besides(self, helper: int) -> int:
        (pid,) = self.pids() - {helper}
        return pid

    def pids(self) -> set[int]:
        return {worker.pid for worker in self.pair.workers()}


@pytest.fixture(scope="module")
def shared_sharing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sharing]:
    stop = Stop(tmp_path_factory.mktemp("stop"))
    engine = {"TEST_ENGINE": "tests.faults.parts:StopsAtParts"}
    with Pair(tmp_path_factory.mktemp("parts"), engine, environment=stop.environment).running() as started:
        yield Sharing(started, stop)


@pytest.fixture
def sharing(shared_sharing: Sharing) -> Iterator[Sharing]:
    shared_sharing.pair.begin()
    yield shared_sharing
    shared_sharing.stop.go_on()


@pytest.fixture
def text(sharing: Sharing) -> str:
    """The sheet's text, from two workers."""
    answer = sharing.pair.read(SHEET)
    assert answer.status == 200
    assert len(answer.text.split()) > 200
    return answer.text


def test_a_part_that_takes_longer_is_waited_for(sharing: Sharing, text: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        sharing.stop.next_part()
        reading = pool.submit(sharing.pair.read, SHEET)
        sharing.helper()
        sharing.stop.go_on()
        assert reading.result().text == text


@pytest.mark.fault(0, "A worker that reads a part of another's page dies")
def test_helper_killed(sharing: Sharing, record: Record, text: str) -> None:
    before = restarts(sharing.pair)
    with ThreadPoolExecutor(1) as pool:
        sharing.stop.next_part()
        reading = pool.submit(sharing.pair.read, SHEET)
        os.kill(sharing.helper(), signal.SIGKILL)
        answer = record.answer("the page", reading.result())
    assert answer.status == 200
    assert answer.text == text
    replaced(sharing.pair, before, record, memory=1)
    record.whole(sharing.pair)


@pytest.mark.fault(0, "A worker that reads a part of another's page hangs")
def test_helper_hangs(sharing: Sharing, record: Record, text: str) -> None:
    before, budget = restarts(sharing.pair), 2.0
    with ThreadPoolExecutor(1) as pool:
        sharing.stop.next_part()
        reading = pool.submit(sharing.pair.read, SHEET, headers={"x-request-timeout": str(budget)})
        sharing.helper()
        answer = record.answer(f"the page, budget {budget:g} s", reading.result())
    assert (answer.status, answer.code) == (504, "deadline_exceeded")
    assert answer.seconds < budget + little()
    replaced(sharing.pair, before, record, deadline=2)
    assert sharing.pair.read(SHEET).text == text
    record.whole(sharing.pair)


@pytest.mark.fault(0, "The client of a page goes while two workers read it")
def test_client_of_a_shared_page_goes(sharing: Sharing, record: Record, text: str) -> None:
    """The worker of the part finishes it: it needs no replacement."""
    pair, before = sharing.pair, restarts(sharing.pair)
    sharing.stop.next_part()
    wire = Wire(pair.gateway.port, *pair.upload(SHEET))
    helper = sharing.helper()
    own = sharing.worker_besides(helper)
    wire.close()
    pair.gateway.count("client_gone")
    left = time.monotonic()
    until(lambda: own not in sharing.pids(), "the page's worker is stopped")
    record.saw("the page's worker", "stopped", time.monotonic() - left)
    sharing.stop.go_on()
    replaced(pair, before, record, abandoned=1)
    assert helper in sharing.pids()
    assert record.answer("the next page", pair.read(SHEET)).text == text
    record.whole(pair)


@pytest.mark.fault(0, "The worker of a page dies while another reads a part of it")
def test_worker_of_a_shared_page_killed(sharing: Sharing, record: Record, text: str) -> None:
    pair, before = sharing.pair, restarts(sharing.pair)
    with ThreadPoolExecutor(1) as pool:
        sharing.stop.next_part()
        reading = pool.submit(pair.read, SHEET)
        helper = sharing.helper()
        own = sharing.worker_besides(helper)
        os.kill(own, signal.SIGKILL)
        answer = record.answer("the page", reading.result())
    assert (answer.status, answer.code) == (503, "out_of_memory")
    sharing.stop.go_on()
    replaced(pair, before, record, memory=1)
    assert metrics(pair.model.service)["ocr_queue_length"] == 0
    assert pair.read(SHEET).text == text
    record.whole(pair)
