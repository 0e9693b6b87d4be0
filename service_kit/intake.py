"""How a request comes in, and how it goes away: bytes counted, time limited, departures noticed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from service_kit.context import RequestContext, current
from service_kit.errors import ClientGone, PayloadTooLarge, UploadTooSlow

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Intake:
    """ASGI middleware around the application.

    - A body of more than `max_body_bytes`, declared or counted, raises PayloadTooLarge out of `receive`.
    - A body that pauses for longer than `idle_seconds`, or outlasts the request's deadline, raises UploadTooSlow.
    - Once the body is in, a client that closes its connection cancels the application: ClientGone.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, idle_seconds: float) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = current()
        body = _Body(request, receive, self._max_body_bytes, self._idle_seconds)
        body.refuse_declared(scope)
        application = asyncio.current_task()
        assert application is not None  # noqa: S101 - narrows the type
        watch = asyncio.create_task(_watch(body, receive, application))

        async def watched_send(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                watch.cancel()  # from here on, going away is no news
            await send(message)

        try:
            await self._app(scope, body.receive, watched_send)
        except asyncio.CancelledError:
            if not body.client_gone:
                raise  # the server itself is ending this
            application.uncancel()
            raise ClientGone from None
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch


class _Body:
    """The receiving side of one request."""

    def __init__(
        self, request: RequestContext, receive: Receive, max_body_bytes: int, idle_seconds: float
    ) -> None:
        self._request = request
        self._receive = receive
        self._max = max_body_bytes
        self._idle = idle_seconds
        self.complete = asyncio.Event()
        self.client_gone = False

    def refuse_declared(self, scope: Scope) -> None:
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or int(value) > self._max):
                raise PayloadTooLarge(self._too_large())

    async def receive(self) -> Message:
        if self.complete.is_set():  # nothing more to come but the end of the answer
            await asyncio.Event().wait()
        try:
            async with asyncio.timeout(min(self._idle, self._request.deadline.left())):
                message = await self._receive()
        except TimeoutError:
            raise UploadTooSlow from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._request.received_bytes += len(message.get("body", b""))
        if self._request.received_bytes > self._max:
            raise PayloadTooLarge(self._too_large())
        if not message.get("more_body", False):
            self.complete.set()
        return message

    def _too_large(self) -> str:
        return f"The request body is larger than {self._max} bytes."


async def _watch(body: _Body, receive: Receive, application: asyncio.Task[None]) -> None:
    await body.complete.wait()
    while (await receive())["type"] != "http.disconnect":
        pass
    body.client_gone = True
    application.cancel()
