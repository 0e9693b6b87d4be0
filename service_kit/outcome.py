"""The outermost layer of a service: each request gets an id, a deadline, exactly one outcome and one log line."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from starlette.datastructures import Headers, MutableHeaders

from service_kit import context
from service_kit.connection import cut
from service_kit.deadline import TIMEOUT_HEADER, Deadline
from service_kit.errors import ClientGone, NotReady, ServiceError, Unforeseen

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
    """Counts requests. For each request that `counts` selects, `begin` and `end` are called exactly once.

    `end` is called with the last chunk of the answer: a client with the whole answer finds it counted in /metrics.
    """

    def counts(self, method: str, path: str) -> bool: ...
    def begin(self) -> None: ...
    def end(self, outcome: str, status: int, request: context.RequestContext) -> None: ...


class RequestScope:
    """ASGI middleware that answers errors; `render` turns an error into a media type and a body.

    Requests that are counted, or that `logs` selects by method and path, are logged at info, others at debug.

    A request that is cancelled at the end of the grace period is answered with NotReady.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        observer: Observer,
        render: Callable[[ServiceError, context.RequestContext], tuple[str, bytes]],
        longest_seconds: float,
        is_draining: Callable[[], bool] = lambda: False,
        logs: Callable[[str, str], bool] = lambda _method, _path: False,
    ) -> None:
        self._app = app
        self._logs = logs
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
            id=context.request_id(headers.get(context.REQUEST_ID_HEADER)),
            deadline=Deadline(self._longest),
            path=scope["path"],
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
            task = asyncio.current_task()
            if task is None or not self._is_draining():
                answer.fail("cancelled")
                raise
            task.uncancel()
            await self._fail(NotReady("The service is shutting down.", retry_after=1), scope, request, answer)
        except Exception as error:  # noqa: BLE001 - the outermost handler
            await self._fail(_public(error), scope, request, answer)
        finally:
            answer.over()
            context.leave(entered)

    async def _fail(
        self, error: ServiceError, scope: Scope, request: context.RequestContext, answer: _Answer
    ) -> None:
        answer.fail(error.code, error.status)
        if isinstance(error, ClientGone) or answer.ended:
            return
        if not answer.started:
            media_type, body = self._render(error, request)
            await respond(answer.send, error.status, {"content-type": media_type, **error.headers}, body)
            return
        # The status was already sent. The client detects the incomplete answer by its missing end.
        log.error("answer broken off", extra={"code": error.code})
        if not cut(scope):
            raise error

    def _log(
        self, scope: Scope, request: context.RequestContext, outcome: str, status: int, *, counted: bool
    ) -> None:
        log.log(
            logging.INFO if counted or self._logs(scope["method"], scope["path"]) else logging.DEBUG,
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
    """Adds our headers to the answer, and ends the request exactly once, with or without an answer."""

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
            if self._closing():  # the next request on this connection would fail
                headers["connection"] = "close"
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.over()

    def fail(self, outcome: str, status: int | None = None) -> None:
        """Set the outcome; without `status`, the status that was sent stays."""
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
