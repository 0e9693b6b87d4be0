"""A request ends with the last piece of its answer, even if resources are still to be freed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service_kit.errors import DeadlineExceeded, ServiceError
from service_kit.outcome import RequestScope, respond

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from service_kit.context import RequestContext

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": []}


class Counts:
    """An observer that records its calls among the pieces of the answer."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def counts(self, _method: str, _path: str) -> bool:
        return True

    def begin(self, _request: RequestContext) -> None:
        self.seen.append("begin")

    def end(self, outcome: str, status: int, _request: RequestContext) -> None:
        self.seen.append((outcome, status))

    async def send(self, message: Message) -> None:
        self.seen.append(message.get("body", "head"))


def serve(app: ASGIApp, counts: Counts) -> asyncio.Task[None]:
    scope = RequestScope(app, observer=counts, render=lambda *_: ("text/plain", b"error"), longest_seconds=1)

    async def receive() -> Message:
        raise AssertionError

    return asyncio.ensure_future(scope(dict(SCOPE), receive, counts.send))


def test_over_with_the_last_piece_though_the_application_goes_on() -> None:
    async def main() -> None:
        counts, tidied, answered = Counts(), asyncio.Event(), asyncio.Event()

        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"1", "more_body": True})
            await send({"type": "http.response.body", "body": b"2"})
            answered.set()
            await tidied.wait()

        task = serve(app, counts)
        await answered.wait()
        expected = ["begin", "head", b"1", b"2", ("ok", 200)]
        assert counts.seen == expected
        tidied.set()
        await task
        assert counts.seen == expected, "and only once"

    asyncio.run(main())


@pytest.mark.parametrize("error", [ServiceError, DeadlineExceeded, ValueError])
def test_an_error_behind_the_answer_changes_nothing(error: type[Exception]) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(send, 200, {}, b"whole")
        raise error

    async def main() -> None:
        counts = Counts()
        await serve(app, counts)
        assert counts.seen == ["begin", "head", b"whole", ("ok", 200)]

    asyncio.run(main())


def test_an_error_before_the_answer_is_its_outcome() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise DeadlineExceeded

    async def main() -> None:
        counts = Counts()
        await serve(app, counts)
        assert counts.seen == ["begin", "head", b"error", ("deadline_exceeded", 504)]

    asyncio.run(main())


def test_an_error_within_the_answer_cuts_it_short() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise DeadlineExceeded

    async def main() -> None:
        counts = Counts()
        with pytest.raises(DeadlineExceeded):
            await serve(app, counts)
        assert counts.seen == ["begin", "head", ("deadline_exceeded", 504)]

    asyncio.run(main())


def test_cancelled_before_the_answer() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        counts = Counts()
        task = serve(app, counts)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert counts.seen == ["begin", ("cancelled", 0)]

    asyncio.run(main())
