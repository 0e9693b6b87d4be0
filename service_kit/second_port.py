"""A second port, for probes or metrics: plain HTTP, without the main port's clients.

It answers until the end of the grace period, and its connections do not delay the end.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from uvicorn.server import ServerState

from service_kit.listener import BACKLOG, listen

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    import uvicorn
    from starlette.types import ASGIApp

log = logging.getLogger("server")


class SecondPort:
    """The order of calls: `bind`, `open`, `close`. Without a lifespan: the main port's application has it."""

    def __init__(self, port: int, app: ASGIApp) -> None:
        self.app = app
        self._port = port
        self._state = ServerState()
        self._config: uvicorn.Config | None = None
        self._listener: socket.socket | None = None
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> Iterable[asyncio.Protocol]:
        return self._state.connections

    def bind(self, host: str, config: uvicorn.Config) -> None:
        """Take the port.

        Raises:
            SystemExit: the port is not available.
        """
        self._config = config
        self._listener = listen(host, self._port)

    async def open(self) -> None:
        assert self._config is not None  # noqa: S101 - narrows the type
        assert self._listener is not None  # noqa: S101 - narrows the type
        self._config.load()
        self._server = await asyncio.get_running_loop().create_server(
            self._new_protocol, sock=self._listener, backlog=BACKLOG
        )
        name, port = self._server.sockets[0].getsockname()[:2]
        log.info("listening", extra={"host": name, "port": port})

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.transport.close()

    def _new_protocol(self) -> asyncio.Protocol:
        assert self._config is not None  # noqa: S101 - narrows the type
        return self._config.http_protocol_class(  # type: ignore[call-arg]
            config=self._config, server_state=self._state, app_state={}
        )
