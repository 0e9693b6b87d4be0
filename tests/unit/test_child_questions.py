"""Questions that a child process asks its parent before it answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service_kit.child import CallLimits, Child, ChildLost
from service_kit.deadline import Deadline
from service_kit.errors import DeadlineExceeded
from service_kit.frames import Header

SECONDS = 20.0
LONGEST = 100_000  # bytes of a frame


def with_child(scenario: Callable[[Child], Awaitable[None]]) -> None:
    async def run() -> None:
        limits = CallLimits(resident_bytes=200 << 20, answer_bytes=LONGEST)
        child = await Child.start("tests.unit.asking_child", {}, limits, {"PATH": os.environ["PATH"]})
        try:
            await scenario(child)
        finally:
            await child.close()

    asyncio.run(run())


async def call(
    child: Child, *questions: str, payload: bytes = b"", seconds: float = SECONDS, **how: Any
) -> Header:
    asked = how.pop("asked", None)
    header = {"questions": questions, **how}
    return (await child.call(header, payload, deadline=Deadline(seconds), asked=asked)).header


async def echo(question: Header, payload: bytes) -> Header:
    return {**question, "bytes": len(payload)}


def test_each_question_gets_its_reply() -> None:
    async def scenario(child: Child) -> None:
        for payload in (b"", b"x" * (LONGEST - 1000)):
            found = await call(child, "a", "b", "c", payload=payload, asked=echo)
            assert found["replies"] == [{"what": what, "bytes": len(payload)} for what in "abc"]
        assert await call(child, asked=echo) == {"replies": []}

    with_child(scenario)


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
def test_replies_may_come_in_any_order_and_be_wanted_in_any_other(order: str) -> None:
    async def scenario(child: Child) -> None:
        turns = {what: asyncio.Event() for what in order}
        turns[order[0]].set()

        async def in_turn(question: Header, _payload: bytes) -> Header | None:
            await turns[question["what"]].wait()
            for other in order[order.index(question["what"]) + 1 :][:1]:
                turns[other].set()
            return question

        found = await call(child, "a", "b", "c", wait=[1, 2, 0], asked=in_turn)
        assert [reply["what"] for reply in found["replies"]] == ["b", "c", "a"]

    with_child(scenario)


def test_without_anybody_to_ask_each_reply_is_none() -> None:
    async def scenario(child: Child) -> None:
        assert await call(child, "a", "b") == {"replies": [None, None]}

    with_child(scenario)


def test_a_question_that_nobody_answers_does_not_delay_the_others() -> None:
    async def scenario(child: Child) -> None:
        async def some(question: Header, _payload: bytes) -> Header | None:
            return None if question["what"] == "b" else question

        assert await call(child, "a", "b", "c", asked=some) == {"replies": [{"what": "a"}, None, {"what": "c"}]}

    with_child(scenario)


def test_a_late_reply_is_not_taken_for_one_of_the_next_answer() -> None:
    """A handler that fails does not wait for all replies; those of the others are on their way already."""

    async def scenario(child: Child) -> None:
        for number in range(20):
            found = await call(child, "soon", "late", "late too", wait=[0], asked=echo)
            assert [reply["what"] for reply in found["replies"]] == ["soon"]
            found = await call(child, f"next {number}", asked=echo)
            assert [reply["what"] for reply in found["replies"]] == [f"next {number}"]

    with_child(scenario)


def test_work_on_questions_ends_with_the_answer() -> None:
    async def scenario(child: Child) -> None:
        begun, given_up = asyncio.Event(), asyncio.Event()

        async def slowly(_question: Header, _payload: bytes) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                given_up.set()
                raise

        with pytest.raises(DeadlineExceeded):
            await call(child, "a", seconds=0.5, asked=slowly)
        assert begun.is_set()
        async with asyncio.timeout(SECONDS):
            await given_up.wait()

    with_child(scenario)


def test_a_question_that_is_too_long_costs_the_child() -> None:
    async def scenario(child: Child) -> None:
        asked: list[Header] = []

        async def noted(question: Header, _payload: bytes) -> None:
            asked.append(question)

        with pytest.raises(ChildLost) as lost:
            await call(child, "a", payload=b"x" * (LONGEST + 1), asked=noted)
        assert lost.value.cause == "answer"
        assert not asked

    with_child(scenario)
