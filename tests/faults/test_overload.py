"""Ten times the possible load: fault 6. The pages only sleep, so that the test measures the admission."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.faults import engines
from tests.faults.conftest import Record
from tests.faults.pair import Pair, crowding, outcomes
from tests.faults.wire import HOST, Answer, exchange, multipart, parsed, upload_head

pytestmark = pytest.mark.alone

PAGE_SECONDS = 0.1
MEASURED_SECONDS = 3.0
CLIENTS = 4  # without a pause: two pages are read and two wait, the most that can be served
BODY = multipart(engines.slow(PAGE_SECONDS))
PATIENT = upload_head(len(BODY), "Connection: close") + BODY
HURRIED = upload_head(len(BODY), "X-Request-Timeout: 0.6", "Connection: close") + BODY


async def one(port: int, request: bytes) -> Answer:
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(request)
    data = await reader.read()
    writer.close()
    return parsed(data, time.monotonic() - began)


async def all_that_can_be_served(port: int) -> tuple[list[Answer], float]:
    """The answers to clients that each wait for their answer, and the seconds until the last one."""
    began = time.monotonic()

    async def client() -> list[Answer]:
        answers = []
        while time.monotonic() - began < MEASURED_SECONDS:
            answers.append(await one(port, PATIENT))
        return answers

    found = await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return [answer for answers in found for answer in answers], time.monotonic() - began


async def offer(port: int, rate: float) -> tuple[list[Answer], float]:
    """Send requests at this rate, whatever their outcomes; the answers, and the seconds until the last one."""
    began = time.monotonic()
    sent = []
    for at in range(round(rate * MEASURED_SECONDS)):
        await asyncio.sleep(began + at / rate - time.monotonic())
        sent.append(asyncio.create_task(one(port, HURRIED)))
    return [await answer for answer in sent], time.monotonic() - began


@pytest.mark.slow
@pytest.mark.fault(6, "Ten times the load that can be served")
def test_06_overload(pair: Pair, record: Record) -> None:
    def goodput(load: Coroutine[Any, Any, tuple[list[Answer], float]]) -> tuple[float, list[Answer]]:
        answers, seconds = asyncio.run(load)
        for answer in answers:
            pair.gateway.count(answer.code)
        return sum(answer.status == 200 for answer in answers) / seconds, answers

    at_peak, answers = goodput(all_that_can_be_served(pair.gateway.port))
    assert set(outcomes(answers)) == {"200 ok"}

    ended = threading.Event()
    probes: list[Answer] = []

    def probe() -> None:
        while not ended.wait(0.1):
            for watched, path in (
                (pair.gateway, "/health/live"),
                (pair.gateway, "/health/ready"),
                (pair.model, "/"),
            ):
                probes.append(exchange(watched.port, "GET", path))

    prober = threading.Thread(target=probe)
    prober.start()
    try:
        under_load, answers = goodput(offer(pair.gateway.port, 10 * at_peak))
    finally:
        ended.set()
        prober.join()

    found = outcomes(answers)
    assert set(found) <= {"200 ok", "429 overloaded", "504 deadline_exceeded"}, found
    assert found["504 deadline_exceeded"] <= 0.02 * len(answers), found
    refused = [answer for answer in answers if answer.status == 429]
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert sorted(answer.seconds for answer in refused)[len(refused) * 9 // 10] < 0.5 * crowding(), "at once"
    assert under_load >= 0.9 * at_peak, (under_load, at_peak)
    assert {answer.status for answer in probes} == {200}
    assert max(answer.seconds for answer in probes) < 1 * crowding()

    median = sorted(answer.seconds for answer in refused)[len(refused) // 2]
    record.saw(f"{len(refused)} of {len(answers)} refused", "429 overloaded, Retry-After", median)
    share = 100 * under_load / at_peak
    record.saw("pages a second", f"{share:.0f} % of {at_peak:.1f}, the peak", MEASURED_SECONDS)
    record.saw(f"{len(probes)} health probes", "200", max(answer.seconds for answer in probes))
    record.whole(pair)
