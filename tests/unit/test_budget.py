"""Reserved amounts: granted in order of arrival, and all freed at the end."""

from __future__ import annotations

import asyncio
import random

import pytest

from api_gateway.upstream.concurrency import Concurrency
from service_kit.budget import Budget, Full, Share
from service_kit.deadline import Deadline
from service_kit.errors import DeadlineExceeded


def test_what_does_not_fit_is_refused_and_what_is_given_back_fits_again() -> None:
    budget = Budget(10)
    with budget.take(6) as share:
        with pytest.raises(Full):
            budget.take(5)
        share.resize(10)
        with pytest.raises(Full):
            share.resize(11)
        assert share.amount == budget.used == 10
        share.give_back()
        share.give_back()
        assert budget.used == 0
    assert budget.used == 0
    with pytest.raises(Full):
        budget.take(11)


def test_what_waits_is_granted_in_turn_and_the_largest_goes_alone() -> None:
    async def run() -> None:
        budget = Budget(10)
        first = budget.take(8)
        second = asyncio.create_task(budget.wait(20))
        third = asyncio.create_task(budget.wait(1))
        await asyncio.sleep(0)
        assert not second.done()
        assert not third.done(), "nobody overtakes: a large share would wait for ever"
        with pytest.raises(Full):
            budget.take(1)
        first.give_back()
        (await second).give_back()
        assert (await third).amount == budget.used == 1

    asyncio.run(run())


def test_who_waits_as_later_is_served_when_nobody_else_waits() -> None:
    async def run() -> None:
        budget = Budget(2)
        held = [budget.take(), budget.take()]
        served: list[str] = []

        async def one(name: str, *, later: bool) -> None:
            with await budget.wait(later=later):
                served.append(name)
                await asyncio.sleep(0)

        tasks = []
        for name, later in (("job 1", True), ("job 2", True), ("request 1", False), ("request 2", False)):
            tasks.append(asyncio.create_task(one(name, later=later)))
            await asyncio.sleep(0)
        held.pop().give_back()
        await asyncio.gather(*tasks)
        assert served == ["request 1", "request 2", "job 1", "job 2"]
        held.pop().give_back()
        assert (budget.used, budget.waiting) == (0, 0)

    asyncio.run(run())


def test_who_waits_as_later_keeps_nobody_from_taking_what_is_free() -> None:
    async def run() -> None:
        budget = Budget(10)
        held = budget.take(8)
        later = [asyncio.create_task(budget.wait(amount, later=True)) for amount in (5, 1)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in later), "in order among themselves"
        with budget.take(1), await budget.wait(1):
            assert budget.used == 10
        held.give_back()
        assert [(await task).amount for task in later] == [5, 1]

    asyncio.run(run())


def test_a_deadline_ends_the_waiting() -> None:
    async def run() -> None:
        budget = Budget(1)
        share = budget.take()
        for later in (False, True):
            with pytest.raises(DeadlineExceeded):
                await budget.wait(deadline=Deadline(0.01), later=later)
            assert budget.waiting == 0
        share.give_back()
        assert budget.used == 0

    asyncio.run(run())


def test_a_higher_limit_lets_in_who_waits() -> None:
    async def run() -> None:
        budget = Budget(1)
        budget.take()
        waiting = asyncio.create_task(budget.wait())
        await asyncio.sleep(0)
        budget.limit = 2
        await waiting

    asyncio.run(run())


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_left_taken_whoever_gives_up_and_when(seed: int) -> None:
    async def run() -> None:
        chance = random.Random(seed)
        budget = Budget(5)
        granted: list[Share] = []

        async def one(amount: int) -> None:
            with await budget.wait(amount, later=chance.random() < 0.3) as share:
                granted.append(share)
                assert budget.used <= max(5, amount)
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(one(chance.randint(1, 7))) for _ in range(50)]
        while not all(task.done() for task in tasks):
            chance.choice(tasks).cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (budget.used, budget.waiting) == (0, 0)
        assert granted

    asyncio.run(run())


def test_calls_at_once_grow_where_pages_do_not_wait_and_shrink_where_they_do() -> None:
    def rounds(concurrency: Concurrency, workers: int, seconds: float = 0.3) -> float:
        """The limit after a while with this many workers and this time per page, with a simulated clock."""
        for _ in range(1000):
            concurrency.used = int(concurrency.limit)
            queued = max(0.0, concurrency.used / workers - 1) * seconds
            concurrency.answered(0.01 + seconds + queued, seconds)
        return concurrency.limit

    concurrency = Concurrency()
    found = [rounds(concurrency, workers) for workers in (2, 8, 32, 4)]
    for limit, workers in zip(found, (2, 8, 32, 4), strict=True):
        assert 1.2 * workers <= limit <= 3 * workers + 1, found


def test_a_bunch_of_refusals_takes_a_third_away_once() -> None:
    concurrency = Concurrency()
    concurrency.limit = 9
    for _ in range(5):
        concurrency.refused()
    assert concurrency.limit == pytest.approx(6)
