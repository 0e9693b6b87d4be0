"""The outermost layer of a service: each request gets an id, a deadline, exactly one outcome and one log line."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from starlette.datastructures import Headers, MutableHeaders

from service_kit import context, tracing
from service_kit.connection import cut
from service_kit.deadline import TIMEOUT_HEADER, Deadline
from service_kit.errors import ClientGone, NotReady, ServiceError, Unforeseen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    def begin(self, request: context.RequestContext) -> None: ...
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
        method, path = scope["method"], scope["path"]
        outcome = Outcome(request, self._observer, method, path, headers, logged=self._logs(method, path))
        answer = _Answer(scope, request, send, closing=self._is_draining, outcome=outcome)
        try:
            request.deadline = Deadline.from_header(headers.get(TIMEOUT_HEADER), self._longest)
            await self._app(scope, receive, answer.send)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not self._is_draining():
                outcome.fail("cancelled")
                raise
            task.uncancel()
            await self._fail(NotReady("The service is shutting down.", retry_after=1), scope, request, answer)
        except Exception as error:  # noqa: BLE001 - the outermost handler
            await self._fail(public(error), scope, request, answer)
        finally:
            outcome.over()
            outcome.leave()
            context.leave(entered)

    async def _fail(
        self, error: ServiceError, scope: Scope, request: context.RequestContext, answer: _Answer
    ) -> None:
        answer.outcome.fail(error.code, error.status)
        if isinstance(error, ClientGone) or answer.outcome.ended:
            return
        if not answer.started:
            media_type, body = self._render(error, request)
            await respond(answer.send, error.status, {"content-type": media_type, **error.headers}, body)
            return
        # The status was already sent. The client detects the incomplete answer by its missing end.
        log.error("answer broken off", extra={"code": error.code})
        if not cut(scope):
            raise error


class Outcome:
    """One call, by HTTP or gRPC: it is counted and logged exactly once, as `ok` unless it failed.

    It is the entry of this process in the call's trace, if it is counted, or logged at info.
    """

    def __init__(
        self,
        request: context.RequestContext,
        observer: Observer,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        logged: bool = False,
    ) -> None:
        """`logged`: at info even if the observer does not count it."""
        self._request = request
        self._observer = observer
        self._call = {"method": method, "path": path}
        self._counted = observer.counts(method, path)
        self._level = logging.INFO if self._counted or logged else logging.DEBUG
        self._code = "ok"
        self.status = 0  # as in HTTP; 0: nothing was answered
        self.route: str | None = None  # the pattern of the path, if the request reached one
        self.ended = False
        self.traced = tracing.begin(method, headers) if self._level == logging.INFO else None
        if self._counted:
            observer.begin(request)

    def fail(self, code: str, status: int | None = None) -> None:
        """Set the outcome; without `status`, the status that was sent stays."""
        self._code = code
        self.status = self.status if status is None else status

    def over(self) -> None:
        if self.ended:
            return
        self.ended = True
        request = self._request
        if self._counted:
            self._observer.end(self._code, self.status, request)
        log.log(
            self._level,
            "request",
            extra={
                "request_id": request.id,
                **self._call,
                "status": self.status,
                "outcome": self._code,
                "seconds": round(request.seconds(), 4),
                "received_bytes": request.received_bytes,
                **request.facts,
            },
        )
        if self.traced is not None:
            self._end_span(self.traced)

    def leave(self) -> None:
        """The task that serves the call leaves its trace."""
        if self.traced is not None:
            self.traced.leave()

    def _end_span(self, traced: tracing.Entered) -> None:
        """By OpenTelemetry's conventions, a server's span has not failed if its client's request was wrong."""
        request, method = self._request, self._call["method"]
        facts = {
            "http.request.method": method,
            "url.path": self._call["path"],
            "http.response.status_code": self.status,
            "request_id": request.id,
            "outcome": self._code,
            "received_bytes": request.received_bytes,
            **request.facts,
        }
        failed = self._code != "ok" and (self.status >= 500 or self.status == 0)
        name = None
        if self.route is not None:
            facts["http.route"] = self.route
            name = f"{method} {self.route}"
        traced.end(facts, self._code if failed else None, name)


def public(error: Exception) -> ServiceError:
    """The error that a client may see; any other is logged, and becomes Unforeseen."""
    if isinstance(error, ServiceError):
        return error
    log.error("unforeseen error", exc_info=error)
    return Unforeseen()


class _Answer:
    """Adds our headers to the answer. The call is over with the last chunk."""

    def __init__(
        self,
        scope: Scope,
        request: context.RequestContext,
        send: Send,
        closing: Callable[[], bool],
        outcome: Outcome,
    ) -> None:
        self._scope = scope
        self._request = request
        self._send = send
        self._closing = closing
        self.outcome = outcome
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.outcome.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[context.REQUEST_ID_HEADER] = self._request.id
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if self.outcome.traced is not None:
                self.outcome.route = getattr(self._scope.get("route"), "path", None)
                if self.outcome.traced.response is not None:
                    headers[tracing.RESPONSE_HEADER] = self.outcome.traced.response
            if self._closing():  # the next request on this connection would fail
                headers["connection"] = "close"
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.outcome.over()


async def respond(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    """Send a whole answer."""
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
