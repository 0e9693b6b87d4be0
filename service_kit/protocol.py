"""uvicorn's HTTP connection with limits: time and size of a request's head, and what follows an answer."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

KEEP_ALIVE_SECONDS = 75  # longer than the 60 s that proxies keep an idle connection, so that they close first
LINGER_SECONDS = 2.0  # for a client that still sends after it was refused; an abrupt close could lose the answer
LAST_LINGER_SECONDS = 1.0  # the same on the way out, where nobody is to be waited for for long
FIRST_REQUEST_SECONDS = 1.0  # for the request of a client that connected just before the door closed
MAX_HEAD_BYTES = 64 * 1024  # uvicorn would collect a head, a chunk's extension or trailers of any length


def guarded_protocol(header_timeout_seconds: float) -> type[asyncio.Protocol]:  # noqa: C901 - one small class
    class GuardedProtocol(HttpToolsProtocol):
        """Limits the time and the size of a request's head, and what comes after an answer to half a request."""

        _guard: asyncio.TimerHandle | None = None
        _fruitless = 0  # bytes since the last head or piece of a body
        _broken = False  # what came last was no HTTP
        _linger = LINGER_SECONDS

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
            self._linger = LAST_LINGER_SECONDS
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
                self._arm(self._linger)

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
