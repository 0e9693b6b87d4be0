"""Limits on request and response bodies: size, time and client disconnects."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from service_kit.connection import client_too_slow
from service_kit.context import RequestContext, current
from service_kit.deadline import LeastRate
from service_kit.errors import ClientGone, ClientTooSlow, PayloadTooLarge, UploadTooSlow

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from service_kit.settings import ServiceSettings

PIECE_BYTES = 256 * 1024  # uvicorn passes chunks on unchanged, and the transport buffers any size


def declared_bytes(scope: Scope) -> int | None:
    """The Content-Length; None without one, or if it is no number."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(declared) if declared.isdigit() else None


class BodyLimits:
    """ASGI middleware around the application.

    - A body over `max_body_bytes`, by Content-Length or by count, raises PayloadTooLarge. `max_bytes_of` tells
      the limit of a path instead.
    - A body that is slower than `LeastRate`, or that exceeds the request's deadline, raises UploadTooSlow.
    - After the whole body has arrived, a disconnect cancels the application and raises ClientGone; it raises
      ClientTooSlow if the server dropped a client that read the answer too slowly.
    - Large chunks of an answer are split, so that the transport never buffers much.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: ServiceSettings,
        max_body_bytes: int,
        max_bytes_of: Callable[[str], int] | None = None,
    ) -> None:
        self._app = app
        self._max_bytes_of = max_bytes_of or (lambda _path: max_body_bytes)
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        rate = LeastRate(self._settings.body_idle_timeout_seconds, self._settings.min_rate_kib_per_second)
        body = _Body(current(), receive, self._max_bytes_of(scope["path"]), rate)
        body.refuse_declared(scope)
        application = asyncio.current_task()
        assert application is not None  # noqa: S101 - narrows the type
        watch = asyncio.create_task(_watch(body, receive, application))

        async def watched_send(message: Message) -> None:
            if len(message.get("body", b"")) > PIECE_BYTES:
                message = await _send_pieces(send, message)
            await send(message)
            if client_too_slow(scope):  # uvicorn silently drops data that it can't send
                raise ClientTooSlow
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                watch.cancel()  # a disconnect no longer matters

        try:
            await self._app(scope, body.receive, watched_send)
        except asyncio.CancelledError:
            if not body.client_gone:
                raise  # the server cancelled this request
            application.uncancel()
            raise (ClientTooSlow if client_too_slow(scope) else ClientGone) from None
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch


class _Body:
    """The receiving side of one request."""

    def __init__(self, request: RequestContext, receive: Receive, max_body_bytes: int, rate: LeastRate) -> None:
        self._request = request
        self._receive = receive
        self._max = max_body_bytes
        self._rate = rate
        self.complete = asyncio.Event()
        self.client_gone = False

    def refuse_declared(self, scope: Scope) -> None:
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or int(value) > self._max):
                raise PayloadTooLarge(self._too_large())

    async def receive(self) -> Message:
        """The next chunk. Only time spent waiting here counts against the client."""
        if self.complete.is_set():  # the whole body was received
            await asyncio.Event().wait()
        began = time.monotonic()
        try:
            async with asyncio.timeout(min(self._rate.left, self._request.deadline.left())):
                message = await self._receive()
        except TimeoutError:
            raise UploadTooSlow from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        received = len(message.get("body", b""))
        self._rate.waited(time.monotonic() - began, received)
        self._request.received_bytes += received
        if self._request.received_bytes > self._max:
            raise PayloadTooLarge(self._too_large())
        if not message.get("more_body", False):
            self.complete.set()
        return message

    def _too_large(self) -> str:
        return f"The request body is larger than {self._max} bytes."


async def _send_pieces(send: Send, message: Message) -> Message:
    """Send the body in chunks; returns the message with an empty body, which the caller sends last."""
    for at in range(0, len(message["body"]), PIECE_BYTES):
        await send({**message, "body": message["body"][at : at + PIECE_BYTES], "more_body": True})
    return {**message, "body": b""}


async def _watch(body: _Body, receive: Receive, application: asyncio.Task[None]) -> None:
    await body.complete.wait()
    while (await receive())["type"] != "http.disconnect":
        pass
    body.client_gone = True
    application.cancel()
