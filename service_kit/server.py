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
import logging
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from types import FrameType

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("server")

KEEP_ALIVE_SECONDS = 75  # longer than the 60 s that proxies keep an idle connection, so that they close first
LINGER_SECONDS = 5.0  # for a client that still sends after it was refused; an abrupt close could lose the answer
FIRST_REQUEST_SECONDS = 1.0  # for the request of a client that connected just before the door closed
BACKLOG = 2048


def exit_cleanly_while_starting() -> None:
    """Let SIGTERM and SIGINT end the process with 0 until the server has its own handlers."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: sys.exit(0))


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
        await super().shutdown(sockets)


def _protocol(header_timeout_seconds: float) -> type[asyncio.Protocol]:  # noqa: C901 - one small class
    class GuardedProtocol(HttpToolsProtocol):
        """Closes a connection whose first request head takes too long, or that sends on after its answer."""

        _guard: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._arm(header_timeout_seconds)

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
            if self._guard is None:  # a later request on a kept connection
                self._arm(header_timeout_seconds)

        def on_headers_complete(self) -> None:
            self._disarm()
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._disarm()
            super().on_message_complete()

        def on_response_complete(self) -> None:
            unread = self.cycle.more_body
            super().on_response_complete()
            if unread and not self.transport.is_closing():
                self._unset_keepalive_if_required()
                self._arm(LINGER_SECONDS)

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
