"""uvicorn with limits for slow and idle connections, and a graceful shutdown.

Shutting down, on the first SIGTERM or SIGINT:
1. `Drain.started` is set: readiness returns 503, answers carry `Connection: close`; requests are still served.
2. After `SHUTDOWN_DELAY_SECONDS`, while load balancers choose other replicas, the listening socket closes
   without resetting connections.
3. Requests in flight get up to `grace_seconds` to finish; then they are cancelled and answered with 503.
4. A second port closes, if there is one. The application's lifespan ends, its child processes end, and the process
   exits with 0.
A second signal skips the delay; a SIGTERM before the server is up ends the process with 0 immediately.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import ssl
import sys
import time
from typing import TYPE_CHECKING, Any, Literal

import uvicorn

from service_kit.connection import FIRST_REQUEST_SECONDS, KEEP_ALIVE_SECONDS, LINGER_SECONDS, GuardedProtocol
from service_kit.followed import Followed, following
from service_kit.listener import BACKLOG, accept_all, listen, refuse_new
from service_kit.tls import renewed_context

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine
    from types import FrameType

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from service_kit.second_port import SecondPort
    from service_kit.settings import ServiceSettings

log = logging.getLogger("server")

_HANDSHAKE_SECONDS = 0.3  # a client's round trip: from SYN until its connection can be accepted
_LAST_ANSWERS_SECONDS = 3.0  # for cancelled requests to stop and send their 503
_POLL_SECONDS = 0.05  # between checks for unanswered requests
_LOOKS = 4  # checks of a slow reader per idle timeout


def exit_cleanly_while_starting() -> None:
    """Let SIGTERM and SIGINT end the process with 0 until the server has its own handlers.

    `os._exit`, because an exception from a handler is lost where Python ignores exceptions (weakref callbacks,
    `__del__`), and nothing needs cleanup yet.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: os._exit(0))


class StartFailed(Exception):
    """The application can't start; `str(error)` is logged without a traceback."""


class Drain:
    """Whether the process is shutting down."""

    def __init__(self) -> None:
        self.started = False

    def __call__(self) -> bool:
        return self.started


def serve(
    app: ASGIApp,
    settings: ServiceSettings,
    drain: Drain,
    grace_seconds: float,
    second: SecondPort | None = None,
    tls: Followed[ssl.SSLContext] | None = None,
    *,
    stop_too: Callable[[float], Coroutine[None, None, None]] | None = None,
) -> None:
    """Serve until a signal arrives; with `tls`, only over TLS, except on the second port.

    `stop_too` stops what the application serves elsewhere, within the same grace period.

    Raises:
        SystemExit: a port is not available, or the application did not start.
    """
    listener = listen(settings.host, settings.port)
    if second is not None:
        second.bind(settings.host, _config(second.app, settings, lifespan="off"))
    config = _config(_with_plain_failure(app), settings, lifespan="on")
    _Server(config, listener, settings, drain, grace_seconds, second, tls, stop_too).run()


def _config(app: ASGIApp, settings: ServiceSettings, lifespan: Literal["on", "off"]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=type("Protocol", (GuardedProtocol,), {"settings": settings}),
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        lifespan=lifespan,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # client addresses are not used
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        backlog=BACKLOG,
    )


def _with_plain_failure(app: ASGIApp) -> ASGIApp:
    """Log a failed start once: StartFailed as one line, other exceptions with a traceback."""

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
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        settings: ServiceSettings,
        drain: Drain,
        grace_seconds: float,
        second: SecondPort | None,
        tls: Followed[ssl.SSLContext] | None,
        stop_too: Callable[[float], Coroutine[None, None, None]] | None,
    ) -> None:
        super().__init__(config)
        self._stop_too = stop_too
        self._second = second
        self._tls = tls
        self._secure: dict[str, Any] = {}
        if tls is not None:
            self._secure = {
                "ssl": renewed_context(tls),
                "ssl_handshake_timeout": settings.header_timeout_seconds,
                "ssl_shutdown_timeout": LINGER_SECONDS,
            }
        self._listener = listener
        self._drain = drain
        self._delay_seconds = settings.shutdown_delay_seconds
        self._grace_seconds = grace_seconds
        self._look_seconds = settings.body_idle_timeout_seconds / _LOOKS
        self._stop_at: float | None = None

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        super().run(sockets or [self._listener])

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        async with following(self._tls):
            await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        if not self.started:
            self.should_exit = True  # exits when start-up ends; no requests are served yet
            return
        again = self._drain.started
        self._drain.started = True
        self._stop_at = time.monotonic() + (0 if again else self._delay_seconds)

    async def on_tick(self, counter: int) -> bool:
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        await super().startup([])
        self.servers = [
            await asyncio.get_running_loop().create_server(
                self._new_protocol, sock=self._listener, backlog=BACKLOG, **self._secure
            )
        ]
        self._look_at_readers()
        name, port = self._listener.getsockname()[:2]
        log.info("listening", extra={"host": name, "port": port})
        if self._second is not None:
            await self._second.open()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Replaces uvicorn's shutdown, which gives cancelled requests no time to answer."""
        refuse_new(self._listener)
        stopping = asyncio.create_task(self._stop_too(self._grace_seconds)) if self._stop_too else None
        await asyncio.sleep(_HANDSHAKE_SECONDS)
        await self._accept_the_last()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if not await self._all_answered(self._grace_seconds):
            tasks = list(self.server_state.tasks)
            log.warning("grace period ended", extra={"requests": len(tasks)})
            for task in tasks:
                task.cancel()
            await self._all_answered(_LAST_ANSWERS_SECONDS)
        if stopping is not None:
            await stopping
        if self._second is not None:
            self._second.close()
        await self.lifespan.shutdown()

    async def _accept_the_last(self) -> None:
        """Accept pending connections, then close the listener at once: closing resets unaccepted connections."""
        late = accept_all(self._listener)
        for server in self.servers:
            server.close()
        self._listener.close()
        for connection in late:
            connection.setblocking(False)
        secure = {**self._secure, "ssl_handshake_timeout": FIRST_REQUEST_SECONDS} if self._secure else {}
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.connect_accepted_socket(self._new_protocol, connection, **secure) for connection in late),
            return_exceptions=True,  # a client that fails its handshake
        )

    async def _all_answered(self, seconds: float) -> bool:
        """Wait up to this many seconds until all requests are answered; whether they are."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - uvicorn's sets
                    await asyncio.sleep(_POLL_SECONDS)
                return True
        return False

    def _look_at_readers(self) -> None:
        for connection in [*self.server_state.connections, *(self._second.connections if self._second else ())]:
            assert isinstance(connection, GuardedProtocol)  # noqa: S101 - narrows the type
            connection.look()
        asyncio.get_running_loop().call_later(self._look_seconds, self._look_at_readers)

    def _new_protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
