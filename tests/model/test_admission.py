"""Which pages may wait: limits by number, and by the time that each has left."""

from __future__ import annotations

import asyncio

import pytest

from model_server.admission import PageAdmission, Priority, QueuedPage
from model_server.image_header import ImageHeader
from service_kit.deadline import Deadline
from service_kit.errors import DeadlineExceeded, Overloaded
from service_kit.page import Parameters

MEGAPIXEL = ImageHeader("png", 1000, 1000)


def picture(
    seconds: float = 30, header: ImageHeader = MEGAPIXEL, priority: Priority = Priority.INTERACTIVE
) -> QueuedPage:
    return QueuedPage(b"", header, Parameters(), Deadline(seconds), "id", priority)


def of_document() -> QueuedPage:
    return picture(priority=Priority.DOCUMENT)


def run(scenario: object) -> None:
    asyncio.run(scenario())  # type: ignore[operator]


def test_pages_are_read_in_the_order_they_came() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=1, most=10)
        pages = [picture() for _ in range(3)]
        for one in pages:
            queue.admit([one])
        assert [await queue.next() for _ in pages] == pages

    run(scenario)


def test_what_would_be_begun_too_late_is_refused_with_an_honest_retry_after() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=2, most=100)
        for _ in range(50):
            queue.pace.learn(1_000_000, 1.0)
        for _ in range(10):
            queue.admit([picture()])
        assert queue.expected_wait() == pytest.approx(5, rel=0.05)  # ten seconds of work for two workers
        queue.admit([picture(seconds=8)])
        with pytest.raises(Overloaded) as refused:
            queue.admit([picture(seconds=3)])
        in_six_and_a_half, caution = 5.5 + 1, 1.25
        assert refused.value.retry_after == pytest.approx(caution * in_six_and_a_half - 3, rel=0.05)

    run(scenario)


def test_an_idle_server_takes_what_it_may_not_finish() -> None:
    """An estimate may be wrong, no other page waits, and the deadline still applies."""

    async def scenario() -> None:
        PageAdmission(workers=1, most=10).admit([picture(seconds=0.01)])

    run(scenario)


def test_the_queue_is_bounded() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=1, most=3)
        for _ in range(3):
            queue.admit([picture(seconds=3600)])
        with pytest.raises(Overloaded):
            queue.admit([picture(seconds=3600)])

    run(scenario)


def test_who_goes_makes_room() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=1, most=2)
        first, second = picture(), picture()
        queue.admit([first])
        queue.admit([second])
        queue.withdraw(first)
        second.done.cancel()
        third = picture()
        queue.admit([third])
        assert await queue.next() is third  # the second is given up too, and never begun
        assert len(queue) == 0

    run(scenario)


def test_a_worker_that_leaves_while_it_is_called_passes_the_call_on() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=2, most=10)
        leaving, staying = (asyncio.create_task(queue.next()) for _ in range(2))
        await asyncio.sleep(0)
        one = picture()
        queue.admit([one])
        leaving.cancel()
        assert await staying is one

    run(scenario)


def test_pictures_overtake_documents_which_still_get_every_fifth_turn() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=2, most=100)
        pages = [of_document() for _ in range(3)]
        pictures = [picture() for _ in range(10)]
        for one in pages + pictures:
            queue.admit([one])
        turns = ["page" if await queue.next() in pages else "picture" for _ in range(13)]
        assert turns == [*4 * ["picture"], "page", *4 * ["picture"], "page", *2 * ["picture"], "page"]

    run(scenario)


def test_a_picture_does_not_count_the_documents_that_wait_behind_it() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=1, most=100)
        for _ in range(50):
            queue.pace.learn(1_000_000, 1.0)
        for one in (of_document(), of_document(), picture()):
            queue.admit([one])
        assert queue.expected_wait() == pytest.approx(1, rel=0.05)
        assert queue.expected_wait(Priority.DOCUMENT) == pytest.approx(3, rel=0.05)

    run(scenario)


def test_documents_leave_room_for_pictures() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=2, most=100)
        for _ in range(4):
            queue.admit([of_document()])
        with pytest.raises(Overloaded):
            queue.admit([of_document()])
        queue.admit([picture()])

    run(scenario)


def test_all_pages_of_a_call_are_admitted_or_none() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=1, most=4)
        queue.admit([picture(), picture()])
        with pytest.raises(Overloaded):
            queue.admit([picture() for _ in range(3)])
        assert len(queue) == 2
        queue.admit([picture(), picture()])

        queue = PageAdmission(workers=1, most=100)
        for _ in range(50):
            queue.pace.learn(1_000_000, 1.0)
        with pytest.raises(Overloaded) as refused:
            queue.admit([picture(seconds=5) for _ in range(8)])  # the last one would be late
        assert refused.value.retry_after == pytest.approx(1.25 * 8 - 5, rel=0.05)
        assert len(queue) == 0

    run(scenario)


def test_a_call_of_more_pages_than_may_wait_is_admitted_where_none_waits() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=1, most=4)
        queue.admit([picture(seconds=60) for _ in range(8)])
        with pytest.raises(Overloaded):
            queue.admit([picture(seconds=60)])

    run(scenario)


SCAN = ImageHeader("png", 7000, 5000)
SMALL = ImageHeader("png", 640, 480)


def knowing_small_pages() -> PageAdmission:
    queue = PageAdmission(workers=1, most=100)
    for _ in range(50):
        queue.pace.learn(SMALL.pixels, 0.2)
    return queue


def test_a_large_page_waits_behind_others_where_only_small_ones_were_seen() -> None:
    async def scenario() -> None:
        queue = knowing_small_pages()
        queue.admit([picture(header=SMALL), picture(header=SMALL)])
        queue.admit([picture(header=SCAN)])
        queue.admit([picture(header=SCAN)])

    run(scenario)


def test_the_first_page_of_an_unseen_size_is_tried_and_others_of_it_are_judged() -> None:
    async def scenario() -> None:
        queue = knowing_small_pages()
        queue.admit([picture(header=SMALL)])
        first = picture(seconds=1, header=SCAN)  # an estimate of two seconds does not refuse it
        queue.admit([first])
        with pytest.raises(Overloaded):
            queue.admit([picture(seconds=1, header=SCAN)])
        await queue.next()
        await asyncio.sleep(0.02)  # longer than a start that counts as immediate
        assert await queue.next() is first
        queue.finished(first, 1.4)
        queue.admit([picture(header=SMALL)])
        with pytest.raises(Overloaded):
            queue.admit([picture(seconds=1, header=SCAN)])  # now it is known

    run(scenario)


def test_withdrawn_pages_leave_nothing_behind() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=1, most=10)
        pages = [picture() for _ in range(5)]
        queue.admit(pages)
        for one in pages:
            queue.withdraw(one)
        turn = asyncio.create_task(queue.next())
        await asyncio.sleep(0)
        assert not turn.done()
        one = picture()
        queue.admit([one])
        assert await turn is one

    run(scenario)


def part_of(page: QueuedPage, share: float = 1.0) -> QueuedPage:
    return QueuedPage(
        b"", page.header, Parameters(), page.deadline, page.request_id, page.priority, share=share, part={}
    )


def test_only_an_idle_worker_is_offered_a_part_of_a_page() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=2, most=10)
        page = picture()
        queue.admit([page])
        assert await queue.next() is page
        assert queue.idle == 0
        assert not queue.offer(part_of(page)), "the other worker has not started yet"
        assert len(queue) == 0

        other = asyncio.create_task(queue.next())
        await asyncio.sleep(0)
        assert queue.idle == 1
        part = part_of(page)
        assert queue.offer(part)
        assert queue.idle == 0
        assert not queue.offer(part_of(page)), "it is the part's"
        assert await other is part

    run(scenario)


def test_a_worker_that_a_page_is_waiting_for_is_not_idle() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=2, most=10)
        turns = [asyncio.create_task(queue.next()) for _ in range(2)]
        await asyncio.sleep(0)
        pages = [picture(), picture()]
        queue.admit(pages)
        assert not queue.offer(part_of(pages[0]))
        assert [await turn for turn in turns] == pages

    run(scenario)


def test_a_part_that_its_page_does_not_need_any_more_is_never_begun() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=1, most=10)
        turn = asyncio.create_task(queue.next())
        await asyncio.sleep(0)
        part = part_of(picture())
        assert queue.offer(part)
        queue.withdraw(part)
        await asyncio.sleep(0)
        assert not turn.done()
        assert queue.idle == 1
        page = picture()
        queue.admit([page])
        assert await turn is page

    run(scenario)


def test_a_part_whose_worker_died_does_not_wait_for_another() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=2, most=10)
        turn = asyncio.create_task(queue.next())
        await asyncio.sleep(0)
        part = part_of(picture())
        assert queue.offer(part)
        assert await turn is part
        queue.give_back(part)
        assert part.done.cancelled()
        assert len(queue) == 0
        assert queue.expected_wait() == 0

    run(scenario)


def test_the_pace_is_that_of_one_worker_however_many_read_a_page() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=2, most=10)
        for _ in range(50):
            page = picture()
            page.helped_seconds = 0.9
            queue.finished(part_of(page), 0.9)
            queue.finished(page, 1.1)
        assert queue.pace.expected(MEGAPIXEL.pixels) == pytest.approx(2, rel=0.05)

    run(scenario)


def test_a_shared_page_is_expected_to_take_its_workers_its_own_time_once() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=2, most=10)
        for _ in range(50):
            queue.pace.learn(MEGAPIXEL.pixels, 2.0)
        page = picture()
        queue.admit([page])
        assert await queue.next() is page
        turn = asyncio.create_task(queue.next())
        await asyncio.sleep(0)
        part = part_of(page, share=0.5)
        assert queue.offer(part)
        page.share = 0.5
        assert await turn is part
        assert queue.expected_wait() == pytest.approx(1, rel=0.05)  # two seconds of work, by two workers
        queue.finished(part, 1.0)
        assert queue.expected_wait() == 0, "one is idle"

    run(scenario)


def patient(seconds: float = 30) -> QueuedPage:
    page = picture(seconds)
    page.patient = True
    return page


def test_a_patient_page_waits_where_others_are_refused() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=1, most=4)
        for _ in range(50):
            queue.pace.learn(1_000_000, 10.0)
        for _ in range(2):
            queue.admit([picture()])
        with pytest.raises(Overloaded):
            queue.admit([picture(seconds=15)])
        queue.admit([patient(seconds=15)])
        queue.admit([patient(seconds=15)])
        with pytest.raises(Overloaded):
            queue.admit([patient()])  # the queue is full

    run(scenario)


def test_a_patient_page_is_not_begun_when_its_deadline_would_pass_meanwhile() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=1, most=4)
        for _ in range(50):
            queue.pace.learn(1_000_000, 1.0)
        late, in_time = patient(seconds=0.9), patient(seconds=1.2)
        for page in (late, in_time):
            queue.admit([page])
            page.queued_at -= 1  # it has waited
        assert await queue.next() is in_time, "others would be refused: a quarter more is expected of them"
        assert isinstance(late.done.exception(), DeadlineExceeded)

    run(scenario)
