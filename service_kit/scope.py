"""The outermost layer of a service: each request gets an id, a clock, exactly one outcome and one log line."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from starlette.datastructures import Headers, MutableHeaders

from service_kit import context
from service_kit.deadline import TIMEOUT_HEADER, Deadline
from service_kit.errors import ClientGone, ServiceError, Unforeseen

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("access")

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": "frame-ancestors 'none'",
}


class Observer(Protocol):
    """What a service counts. Every request that `counts` is begun once and ended once.

    The end is with the last piece of the answer: who has it all and asks for /metrics finds it counted.
    """

    def counts(self, method: str, path: str) -> bool: ...
    def begin(self) -> None: ...
    def end(self, outcome: str, status: int, request: context.RequestContext) -> None: ...


class RequestScope:
    """ASGI middleware. Errors that reach it are answered by `render`, which gives a media type and a body."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        observer: Observer,
        render: Callable[[ServiceError, context.RequestContext], tuple[str, bytes]],
        longest_seconds: float,
        is_draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app = app
        self._observer = observer
        self._render = render
        self._longest = longest_seconds
        self._is_draining = is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request = context.RequestContext(
            id=context.request_id(headers.get(context.REQUEST_ID_HEADER)), deadline=Deadline(self._longest)
        )
        entered = context.enter(request)
        counted = self._observer.counts(scope["method"], scope["path"])
        if counted:
            self._observer.begin()

        def end(outcome: str, status: int) -> None:
            if counted:
                self._observer.end(outcome, status, request)
            self._log(scope, request, outcome, status, counted=counted)

        answer = _Answer(request, send, closing=self._is_draining, end=end)
        try:
            request.deadline = Deadline.from_header(headers.get(TIMEOUT_HEADER), self._longest)
            await self._app(scope, receive, answer.send)
        except asyncio.CancelledError:
            answer.fail("cancelled")
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence
            failure = _public(error)
            answer.fail(failure.code, failure.status)
            await self._answer_error(failure, request, answer)
        finally:
            answer.over()
            context.leave(entered)

    async def _answer_error(self, error: ServiceError, request: context.RequestContext, answer: _Answer) -> None:
        if isinstance(error, ClientGone) or answer.ended:
            return
        if answer.started:  # too late for a status: cut the answer short, so that nobody takes it for whole
            log.error("answer broken off", extra={"code": error.code})
            raise error
        media_type, body = self._render(error, request)
        await respond(answer.send, error.status, {"content-type": media_type, **error.headers}, body)

    def _log(
        self, scope: Scope, request: context.RequestContext, outcome: str, status: int, *, counted: bool
    ) -> None:
        log.log(
            logging.INFO if counted else logging.DEBUG,
            "request",
            extra={
                "request_id": request.id,
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "outcome": outcome,
                "seconds": round(request.seconds(), 4),
                "received_bytes": request.received_bytes,
                **request.facts,
            },
        )


def _public(error: Exception) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    log.error("unforeseen error", exc_info=error)
    return Unforeseen()


class _Answer:
    """Adds our headers to the answer, and ends the request with its last piece, or without one."""

    def __init__(
        self,
        request: context.RequestContext,
        send: Send,
        closing: Callable[[], bool],
        end: Callable[[str, int], None],
    ) -> None:
        self._request = request
        self._send = send
        self._closing = closing
        self._end = end
        self._outcome = "ok"
        self._status = 0
        self.started = False
        self.ended = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[context.REQUEST_ID_HEADER] = self._request.id
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if self._closing():  # a kept connection would meet a closed door
                headers["connection"] = "close"
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.over()

    def fail(self, outcome: str, status: int | None = None) -> None:
        """What the end will be called; without a status it keeps the one that was sent."""
        self._outcome = outcome
        self._status = self._status if status is None else status

    def over(self) -> None:
        if not self.ended:
            self.ended = True
            self._end(self._outcome, self._status)


async def respond(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    """Send a whole answer."""
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
