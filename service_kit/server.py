"""uvicorn, with what it lacks: time limits for idle connections, and an exit in steps.

Shutting down, on the first SIGTERM or SIGINT:
1. `Drain.started` is set: readiness turns 503, answers carry `Connection: close`; requests are still served.
2. After `delay_seconds`, in which load balancers look elsewhere, the listening socket closes; nobody is reset.
3. Requests in flight get up to `grace_seconds` to finish.
4. The application's lifespan ends (child processes with it), and the process exits with 0.
A second signal skips the delay; a SIGTERM before the server is up ends the process with 0 at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import uvicorn

from service_kit.listener import BACKLOG, accept_all, listen, turn_away
from service_kit.protocol import KEEP_ALIVE_SECONDS, guarded_protocol

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("server")

_HANDSHAKE_SECONDS = 0.3  # a client's round trip, from its first packet to where it can be accepted


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
        http=guarded_protocol(header_timeout_seconds),
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
    _Server(config, listen(host, port), drain, delay_seconds).run()


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
        turn_away(self._listener)
        await asyncio.sleep(_HANDSHAKE_SECONDS)
        await self._let_in()
        await super().shutdown(sockets)

    async def _let_in(self) -> None:
        """Accept who is connected already, and close the door in the same step: closing it would reset them."""
        late = accept_all(self._listener)
        for server in self.servers:
            server.close()
        for connection in late:
            connection.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(self._new_protocol, connection)

    def _new_protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
