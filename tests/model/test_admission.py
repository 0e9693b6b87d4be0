"""Who may wait: by number, and by the time that each still has."""

from __future__ import annotations

import asyncio

import pytest

from model_server.admission import Job, Queue
from model_server.errors import Overloaded
from model_server.header import ImageHeader
from model_server.page import Parameters
from service_kit.deadline import Deadline

MEGAPIXEL = ImageHeader("png", 1000, 1000)


def job(seconds: float = 30, header: ImageHeader = MEGAPIXEL) -> Job:
    return Job(b"", header, Parameters(), Deadline(seconds), "id")


def run(scenario: object) -> None:
    asyncio.run(scenario())  # type: ignore[operator]


def test_pages_are_read_in_the_order_they_came() -> None:
    async def scenario() -> None:
        queue = Queue(workers=1, most=10)
        jobs = [job() for _ in range(3)]
        for one in jobs:
            queue.offer(one)
        assert [await queue.next() for _ in jobs] == jobs

    run(scenario)


def test_the_pace_is_learnt_and_large_pages_cost_more() -> None:
    queue = Queue(workers=1, most=10)
    for _ in range(50):
        queue.pace.learn(1_000_000, 2.0)
    assert queue.pace.expected(1_000_000) == pytest.approx(2, rel=0.05)
    assert queue.pace.expected(4_000_000) == pytest.approx(8, rel=0.05)


def test_what_would_be_begun_too_late_is_refused_with_an_honest_retry_after() -> None:
    async def scenario() -> None:
        queue = Queue(workers=2, most=100)
        for _ in range(50):
            queue.pace.learn(1_000_000, 1.0)
        for _ in range(10):
            queue.offer(job())
        assert queue.expected_wait() == pytest.approx(5, rel=0.05)  # ten seconds of work for two workers
        queue.offer(job(seconds=6.5))
        with pytest.raises(Overloaded) as refused:
            queue.offer(job(seconds=3))
        assert refused.value.retry_after == pytest.approx(5.5 + 1 - 3, rel=0.05)

    run(scenario)


def test_an_idle_server_takes_what_it_may_not_finish() -> None:
    """An estimate may be wrong; nobody else is kept waiting; the deadline is there."""

    async def scenario() -> None:
        Queue(workers=1, most=10).offer(job(seconds=0.01))

    run(scenario)


def test_the_queue_is_bounded() -> None:
    async def scenario() -> None:
        queue = Queue(workers=1, most=3)
        for _ in range(3):
            queue.offer(job(seconds=3600))
        with pytest.raises(Overloaded):
            queue.offer(job(seconds=3600))

    run(scenario)


def test_who_goes_makes_room() -> None:
    async def scenario() -> None:
        queue = Queue(workers=1, most=2)
        first, second = job(), job()
        queue.offer(first)
        queue.offer(second)
        queue.withdraw(first)
        second.done.cancel()
        third = job()
        queue.offer(third)
        assert await queue.next() is third  # the second is given up, too, and never begun
        assert len(queue) == 0

    run(scenario)


def test_a_worker_that_leaves_while_it_is_called_passes_the_call_on() -> None:
    async def scenario() -> None:
        queue = Queue(workers=2, most=10)
        leaving, staying = (asyncio.create_task(queue.next()) for _ in range(2))
        await asyncio.sleep(0)
        one = job()
        queue.offer(one)
        leaving.cancel()
        assert await staying is one

    run(scenario)
