"""Who may wait: by number, and by the time that each still has."""

from __future__ import annotations

import asyncio

import pytest

from model_server.admission import Job, Priority, Queue
from model_server.errors import Overloaded
from model_server.header import ImageHeader
from model_server.page import Parameters
from service_kit.deadline import Deadline

MEGAPIXEL = ImageHeader("png", 1000, 1000)


def job(seconds: float = 30, header: ImageHeader = MEGAPIXEL, priority: Priority = Priority.INTERACTIVE) -> Job:
    return Job(b"", header, Parameters(), Deadline(seconds), "id", priority)


def of_document() -> Job:
    return job(priority=Priority.DOCUMENT)


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


def test_what_would_be_begun_too_late_is_refused_with_an_honest_retry_after() -> None:
    async def scenario() -> None:
        queue = Queue(workers=2, most=100)
        for _ in range(50):
            queue.pace.learn(1_000_000, 1.0)
        for _ in range(10):
            queue.offer(job())
        assert queue.expected_wait() == pytest.approx(5, rel=0.05)  # ten seconds of work for two workers
        queue.offer(job(seconds=8))
        with pytest.raises(Overloaded) as refused:
            queue.offer(job(seconds=3))
        in_six_and_a_half, caution = 5.5 + 1, 1.25
        assert refused.value.retry_after == pytest.approx(caution * in_six_and_a_half - 3, rel=0.05)

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


def test_pictures_overtake_documents_which_still_get_every_fifth_turn() -> None:
    async def scenario() -> None:
        queue = Queue(workers=2, most=100)
        pages = [of_document() for _ in range(3)]
        pictures = [job() for _ in range(10)]
        for one in pages + pictures:
            queue.offer(one)
        turns = ["page" if await queue.next() in pages else "picture" for _ in range(13)]
        assert turns == [*4 * ["picture"], "page", *4 * ["picture"], "page", *2 * ["picture"], "page"]

    run(scenario)


def test_a_picture_does_not_count_the_documents_that_wait_behind_it() -> None:
    async def scenario() -> None:
        queue = Queue(workers=1, most=100)
        for _ in range(50):
            queue.pace.learn(1_000_000, 1.0)
        for one in (of_document(), of_document(), job()):
            queue.offer(one)
        assert queue.expected_wait() == pytest.approx(1, rel=0.05)
        assert queue.expected_wait(Priority.DOCUMENT) == pytest.approx(3, rel=0.05)

    run(scenario)


def test_documents_leave_room_for_pictures() -> None:
    async def scenario() -> None:
        queue = Queue(workers=2, most=100)
        for _ in range(4):
            queue.offer(of_document())
        with pytest.raises(Overloaded):
            queue.offer(of_document())
        queue.offer(job())

    run(scenario)
