"""A call whose body does not fit waits in order, unread, or is refused if it would be late."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from model_server.admission import PageAdmission
from model_server.bodies import BodyAdmission, BodyBudget
from service_kit import context
from service_kit.deadline import Deadline
from service_kit.errors import DeadlineExceeded, Overloaded

LIMIT = 100


class Calls:
    """An application whose calls read their body and wait until the test lets them end."""

    def __init__(self, typical_seconds: float = 0.1) -> None:
        queue = PageAdmission(workers=1, most=10)
        for _ in range(50):
            queue.pace.learn(1_000_000, typical_seconds)
        self.begun: list[str] = []
        self.may_end = asyncio.Event()
        self._bodies = BodyAdmission(
            self._app,
            bodies=BodyBudget(LIMIT, workers=1, queue=queue, max_waiting=3),
            max_body_bytes=36,
            counts=lambda method, _path: method == "POST",
        )

    def call(
        self, name: str, size: int | None = 36, seconds: float = 30, method: str = "POST"
    ) -> asyncio.Task[None]:
        headers = [] if size is None else [(b"content-length", str(size).encode())]
        return asyncio.create_task(
            self._call({"type": "http", "method": method, "path": name, "headers": headers}, seconds)
        )

    async def _call(self, scope: Scope, seconds: float) -> None:
        context.enter(context.RequestContext("id", Deadline(seconds)))

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(_message: Message) -> None: ...

        await self._bodies(scope, receive, send)

    async def _app(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        self.begun.append(scope["path"])
        await self.may_end.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_calls_that_do_not_fit_wait_in_turn() -> None:
    async def scenario() -> None:
        calls = Calls()
        tasks = [calls.call("first"), calls.call("second", None), calls.call("small", 1)]
        other = calls.call("metrics", method="GET")
        await settle()
        assert calls.begun == ["first", "metrics"], "36 bytes count 90; without a length, as the largest"
        calls.may_end.set()
        await asyncio.gather(*tasks, other)
        assert calls.begun == ["first", "metrics", "second", "small"]

    asyncio.run(scenario())


def test_a_call_that_would_be_late_is_refused_at_once() -> None:
    async def scenario() -> None:
        calls = Calls(typical_seconds=10)
        tasks = [calls.call(name, seconds=31) for name in ("first", "second", "third", "fourth")]
        await settle()
        assert not any(task.done() for task in tasks)
        with pytest.raises(Overloaded) as refused:
            await calls.call("fifth", seconds=31)
        assert refused.value.retry_after == pytest.approx(9, abs=0.5)
        calls.may_end.set()
        await asyncio.gather(*tasks)
        await calls.call("sixth")
        assert "fifth" not in calls.begun

    asyncio.run(scenario())


def test_a_call_whose_turn_does_not_come_is_late() -> None:
    async def scenario() -> None:
        calls = Calls(typical_seconds=0.01)
        first = calls.call("first")
        await settle()
        with pytest.raises(DeadlineExceeded):
            await calls.call("second", seconds=0.1)
        calls.may_end.set()
        await first
        await calls.call("third")

    asyncio.run(scenario())


def test_a_patient_call_waits_until_its_deadline_and_lets_others_go_first() -> None:
    async def scenario() -> None:
        queue = PageAdmission(workers=1, most=10)
        for _ in range(50):
            queue.pace.learn(1_000_000, 10)
        bodies = BodyBudget(LIMIT, workers=1, queue=queue, max_waiting=2)
        context.enter(context.RequestContext("id", Deadline(30)))
        held = await bodies.take(90)
        got: list[str] = []

        async def wait(name: str, amount: float) -> None:
            with await (bodies.wait(amount) if name == "patient" else bodies.take(amount)):
                got.append(name)

        waiting = [asyncio.create_task(wait("patient", 60)), asyncio.create_task(wait("other", 60))]
        await settle()
        with pytest.raises(Overloaded):
            await bodies.wait(1)  # as many wait as may
        held.give_back()
        await asyncio.gather(*waiting)
        assert got == ["other", "patient"]

        context.enter(context.RequestContext("id", Deadline(0.05)))
        with await bodies.take(90), pytest.raises(DeadlineExceeded):
            await bodies.wait(60)

    asyncio.run(scenario())
