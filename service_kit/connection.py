"""uvicorn's HTTP connection with limits on request heads, slow readers, and data sent after an early answer."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service_kit.deadline import LeastRate

if TYPE_CHECKING:
    from starlette.types import Scope

    from service_kit.settings import ServiceSettings

KEEP_ALIVE_SECONDS = 75  # longer than the usual 60 s of proxies, so that they close first
LINGER_SECONDS = 2.0  # for a refused client that still sends; an immediate close could lose the answer
LAST_LINGER_SECONDS = 1.0  # the same during the shutdown
FIRST_REQUEST_SECONDS = 1.0  # for the request of a client that connected just before the listener closed
MAX_HEAD_BYTES = 64 * 1024  # uvicorn itself limits neither heads nor chunk extensions nor trailers

_TRANSPORT = "service_kit.transport"  # key in the ASGI scope


def client_too_slow(scope: Scope) -> bool:
    """Whether the server dropped the connection because its client read too slowly."""
    transport: _AnswerTransport | None = scope.get(_TRANSPORT)
    return transport is not None and transport.connection.too_slow


def cut(scope: Scope) -> bool:
    """Close the connection during the answer, without an error log by uvicorn; False on other connections."""
    transport: _AnswerTransport | None = scope.get(_TRANSPORT)
    if transport is not None:
        transport.cut()
    return transport is not None


class GuardedProtocol(HttpToolsProtocol):
    """Limits the time and size of heads, slow readers, and bytes after an answer to an unfinished request."""

    settings: ServiceSettings

    too_slow = False
    sent_bytes = 0  # answer bytes passed to the transport
    _reading: LeastRate | None = None  # set while the transport buffers part of an answer
    _looked = 0.0
    _taken_bytes = 0
    _guard: asyncio.TimerHandle | None = None
    _fruitless = 0  # bytes since the last complete head or body chunk
    _broken = False  # the last bytes were not HTTP
    _linger = LINGER_SECONDS

    def look(self) -> None:
        """Drop the client if it reads too slowly. Called periodically: cheaper than a timer per request."""
        buffered = self.transport.get_write_buffer_size()
        if not buffered:
            self._reading = None
            return
        now, taken = self.loop.time(), self.sent_bytes - buffered - _unacknowledged_bytes(self.transport)
        if self._reading is None:
            self._reading = LeastRate(
                self.settings.body_idle_timeout_seconds, self.settings.min_rate_kib_per_second
            )
        else:
            self._reading.waited(now - self._looked, taken - self._taken_bytes)
        self._looked, self._taken_bytes = now, taken
        if self._reading.left <= 0:
            self.too_slow = True
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm(self.settings.header_timeout_seconds)

    def data_received(self, data: bytes) -> None:
        if self._broken:
            return
        self._fruitless += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._fruitless > MAX_HEAD_BYTES:
            self.send_400_response("The head of the request is too large.")
        elif self._guard is None and self._is_idle():  # uvicorn's own timer stops at the first byte
            self._arm(KEEP_ALIVE_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        self._linger = LAST_LINGER_SECONDS
        if self.cycle is None and not self.transport.is_closing():
            self._arm(FIRST_REQUEST_SECONDS)  # closing now would reset a request in transit
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self.cycle is not None:  # a later request on a kept-alive connection
            self._arm(self.settings.header_timeout_seconds)

    def on_headers_complete(self) -> None:
        self._disarm()
        self._fruitless = 0
        super().on_headers_complete()
        if self.scope["http_version"] == "1.0":
            # Such a client knows no chunked encoding: the end of the connection is the end of the answer.
            self.cycle.keep_alive = self.cycle.chunked_encoding = False
            self.cycle.expected_content_length = _AnyLength()
        transport = _AnswerTransport(self, self.cycle)
        self.cycle.transport = transport
        self.scope[_TRANSPORT] = transport  # type: ignore[literal-required]

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
        unread = self.cycle.response_complete and self.cycle.more_body  # before super(), which may replace `cycle`
        super().on_response_complete()
        if unread and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self._arm(self._linger)

    def send_400_response(self, msg: str) -> None:
        self._broken = True
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            super().send_400_response(msg)
        else:  # bytes after a complete request: that request still gets its answer
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


class _AnswerTransport(asyncio.Transport):
    """The transport of one request. If the answer ends before the request body, it closes only the sending side.

    Closing the whole connection would reset it and lose the answer. Further bytes are ignored until the guard
    timer closes the connection.
    """

    def __init__(self, connection: GuardedProtocol, cycle: RequestResponseCycle) -> None:
        super().__init__()
        self.connection = connection
        self._transport = connection.transport
        self._cycle = cycle
        self._ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.connection.sent_bytes += len(data)
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._ended or self._transport.is_closing()

    def close(self) -> None:
        if self._ended or self._transport.is_closing():
            return
        if self._cycle.more_body and self._cycle.response_complete:
            self._ended = True
            if self._transport.can_write_eof():  # not with TLS: there the guard timer ends the answer, too
                self._transport.write_eof()
        else:
            self._transport.close()

    def cut(self) -> None:
        self._cycle.disconnected = True
        if self._cycle.scope["http_version"] == "1.0":  # a closed connection would look like the end of the answer
            _reset_on_close(self._transport)
            self._transport.abort()
        else:
            self._transport.close()


class _AnyLength(int):
    """As the length that uvicorn expects of an answer, any is right: it compares, subtracts, and looks for 0."""

    def __lt__(self, _: int) -> bool:
        return False

    def __ne__(self, _: object) -> bool:
        return False

    def __sub__(self, _: int) -> _AnyLength:
        return self

    __hash__ = int.__hash__


def _reset_on_close(transport: asyncio.Transport) -> None:
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _unacknowledged_bytes(transport: asyncio.Transport) -> int:
    """Bytes in the kernel's send buffer: the client has not received them yet."""
    file = transport.get_extra_info("socket").fileno()
    return int.from_bytes(fcntl.ioctl(file, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
