"""uvicorn, with what it lacks: time limits for idle connections, and an exit in steps.

Shutting down, on the first SIGTERM or SIGINT:
1. `Drain.started` is set: readiness turns 503, answers carry `Connection: close`; requests are still served.
2. After `delay_seconds`, in which load balancers look elsewhere, the listening socket closes.
3. Requests in flight get up to `grace_seconds` to finish.
4. The application's lifespan ends (child processes with it), and the process exits with 0.
A second signal skips the delay; a SIGTERM before the server is up ends the process with 0 at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from types import FrameType

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("server")

KEEP_ALIVE_SECONDS = 75  # longer than the 60 s that proxies keep an idle connection, so that they close first
LINGER_SECONDS = 2.0  # for a client that still sends after it was refused; an abrupt close could lose the answer
FIRST_REQUEST_SECONDS = 1.0  # for the request of a client that connected just before the door closed
MAX_HEAD_BYTES = 64 * 1024  # uvicorn would collect a head, a chunk's extension or trailers of any length
BACKLOG = 2048


def exit_cleanly_while_starting() -> None:
    """Let SIGTERM and SIGINT end the process with 0 until the server has its own handlers.

    At once, without unwinding: an exception out of a handler is lost where Python ignores exceptions (a weak
    reference's callback, `__del__`), and there is nothing to tidy up yet.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: os._exit(0))


class StartFailed(Exception):
    """The application can't start; `str(error)` says why, and no more needs to be said."""


class Drain:
    """Whether the process is on its way out."""

    def __init__(self) -> None:
        self.started = False

    def __call__(self) -> bool:
        return self.started


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    drain: Drain,
    header_timeout_seconds: float,
    delay_seconds: float,
    grace_seconds: float,
) -> None:
    """Serve until told to stop.

    Raises:
        SystemExit: the port can't be had, or the application did not start.
    """
    config = uvicorn.Config(
        _with_plain_failure(app),
        http=_protocol(header_timeout_seconds),
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks who the client is
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(grace_seconds),
        backlog=BACKLOG,
    )
    _Server(config, _listen(host, port), drain, delay_seconds).run()


def _with_plain_failure(app: ASGIApp) -> ASGIApp:
    """A failed start is logged once: as a line where its cause is known, with its trace where not."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return

        async def send_unless_failed(message: Message) -> None:
            if message["type"] != "lifespan.startup.failed":
                await send(message)

        try:
            await app(scope, receive, send_unless_failed)
        except StartFailed as failure:
            log.critical("did not start", extra={"why": str(failure)})
            await send({"type": "lifespan.startup.failed", "message": ""})

    return wrapped


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        sys.exit(f"Can't listen on {host}:{port}: {error.strerror}.")
    return listener


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, listener: socket.socket, drain: Drain, delay_seconds: float
    ) -> None:
        super().__init__(config)
        self._listener = listener
        self._drain = drain
        self._delay_seconds = delay_seconds
        self._stop_at: float | None = None

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        super().run(sockets or [self._listener])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        if not self.started:
            self.should_exit = True  # leaves the start-up at its end; nobody is being served yet
            return
        again = self._drain.started
        self._drain.started = True
        self._stop_at = time.monotonic() + (0 if again else self._delay_seconds)

    async def on_tick(self, counter: int) -> bool:
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        name, port = self._listener.getsockname()[:2]
        log.info("listening", extra={"host": name, "port": port})

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._listener.listen(0)  # what knocks now is answered by the next process, or refused, but not reset
        await asyncio.sleep(0)
        await self._let_in()
        await super().shutdown(sockets)

    async def _let_in(self) -> None:
        """Accept who is connected already, and close the door in the same step: closing it would reset them."""
        late = []
        with contextlib.suppress(BlockingIOError):
            while True:
                late.append(self._listener.accept()[0])
        for server in self.servers:
            server.close()
        for connection in late:
            connection.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(self._new_protocol, connection)

    def _new_protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _protocol(header_timeout_seconds: float) -> type[asyncio.Protocol]:  # noqa: C901 - one small class
    class GuardedProtocol(HttpToolsProtocol):
        """Limits the time and the size of a request's head, and what comes after an answer to half a request."""

        _guard: asyncio.TimerHandle | None = None
        _fruitless = 0  # bytes since the last head or piece of a body
        _broken = False  # what came last was no HTTP

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._arm(header_timeout_seconds)

        def data_received(self, data: bytes) -> None:
            if self._broken:
                return
            self._fruitless += len(data)
            super().data_received(data)
            if self.transport.is_closing():
                return
            if self._fruitless > MAX_HEAD_BYTES:
                self.send_400_response("The head of the request is too large.")
            elif self._guard is None and self._is_idle():  # uvicorn's own timer ends with the first byte
                self._arm(KEEP_ALIVE_SECONDS)

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)

        def shutdown(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self._arm(FIRST_REQUEST_SECONDS)  # closed now, a request that is on its way would be reset
            else:
                super().shutdown()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            if self.cycle is not None:  # a later request on a kept connection
                self._arm(header_timeout_seconds)

        def on_headers_complete(self) -> None:
            self._disarm()
            self._fruitless = 0
            super().on_headers_complete()
            self.cycle.transport = _Lingering(self.transport, self.cycle)

        def on_body(self, body: bytes) -> None:
            self._fruitless = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._disarm()
            self._fruitless = 0
            super().on_message_complete()
            if self.cycle.response_complete and not self.cycle.keep_alive:
                self.transport.close()

        def on_response_complete(self) -> None:
            unread = self.cycle.response_complete and self.cycle.more_body  # `cycle` may be the next one by now
            super().on_response_complete()
            if unread and not self.transport.is_closing():
                self._unset_keepalive_if_required()
                self._arm(LINGER_SECONDS)

        def send_400_response(self, msg: str) -> None:
            self._broken = True
            if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
                super().send_400_response(msg)
            else:  # nonsense behind a whole request: that one still gets its answer
                self.cycle.keep_alive = False

        def _is_idle(self) -> bool:
            return self.cycle is not None and self.cycle.response_complete and self.timeout_keep_alive_task is None

        def _arm(self, seconds: float) -> None:
            self._disarm()
            self._guard = self.loop.call_later(seconds, self._close)

        def _disarm(self) -> None:
            if self._guard is not None:
                self._guard.cancel()
                self._guard = None

        def _close(self) -> None:
            self._guard = None
            if not self.transport.is_closing():
                self.transport.close()

    return GuardedProtocol


class _Lingering(asyncio.Transport):
    """A cycle's transport. It ends our side only, when the answer is out and the request's body is not yet in.

    Closed then, the connection would be reset and the answer lost; what still comes is let pass until the guard
    closes it.
    """

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        super().__init__()
        self._transport = transport
        self._cycle = cycle
        self._ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._ended or self._transport.is_closing()

    def close(self) -> None:
        if self._ended or self._transport.is_closing():
            return
        if self._cycle.more_body and self._cycle.response_complete:
            self._ended = True
            self._transport.write_eof()
        else:
            self._transport.close()
