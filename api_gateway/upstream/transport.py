"""A transport for httpx: one connection for each request, and only the work that HTTP/1.1 requires.

httpx's own transport takes 2 ms of processor time for a request on a new connection, this one a fifth of that.
With two busy engines on two cores, the engines lose this time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence

import httptools
import httpx

from service_kit.followed import Followed

_LARGEST_ANSWER = 32 * 1024 * 1024  # the words of one page; the model server has the same limit
_WRITTEN_AT_ONCE = 256 * 1024


class Pieces(httpx.AsyncByteStream):
    """A request's body in pieces, written one after the other without being joined."""

    def __init__(self, pieces: Sequence[bytes | bytearray]) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield bytes(piece)


class FreshConnections(httpx.AsyncBaseTransport):
    """Sends a request with its own connect and read timeouts; returns the complete answer.

    Raises:
        httpx.ConnectError, httpx.ConnectTimeout: nothing was sent.
        httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError: something may have been done.
    """

    def __init__(self, tls: Followed[ssl.SSLContext] | None) -> None:
        """`tls` is for https URLs; its present value is used for each connection."""
        self._tls = tls

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        limits = request.extensions.get("timeout", {})
        connection = await self._connect(request, limits.get("connect"))
        try:
            async with asyncio.timeout(limits.get("read")):
                return await connection.answer
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=request) from None
        finally:
            connection.close()

    async def _connect(self, request: httpx.Request, seconds: float | None) -> _Connection:
        url = request.url
        try:
            async with asyncio.timeout(seconds):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(request),
                    url.host,
                    url.port or (443 if self._tls else 80),
                    ssl=self._tls.value if self._tls else None,
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time", request=request) from None
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        return connection


class _Connection(asyncio.Protocol):
    """One request and its answer; the names of the `on_` methods are httptools'."""

    def __init__(self, request: httpx.Request) -> None:
        self.answer: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()
        self._request: httpx.Request | None = request  # until it is written, because it may be large
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._transport: asyncio.Transport | None = None
        self._unsent: Iterator[memoryview] = iter(())
        self._paused = False

    def close(self) -> None:
        """Close the connection, and drop what was not sent."""
        self.answer.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._unsent = iter(())
        self._parser = None  # breaks a reference cycle, so that memory is freed at once

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        request, self._request = self._request, None
        assert request is not None  # noqa: S101 - narrows the type
        head = [b"%b %b HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path)]
        head += [b"%b: %b\r\n" % pair for pair in request.headers.raw]
        head.append(b"\r\n")
        body = request.stream.pieces if isinstance(request.stream, Pieces) else ()
        if sum(map(len, body)) < _WRITTEN_AT_ONCE:
            transport.write(b"".join([*head, *body]))
        elif transport.get_extra_info("sslcontext") is None:  # no copy of it
            transport.write(b"".join(head))
            for piece in body:
                transport.write(piece)
        else:  # TLS encrypts, and so copies, what is written
            transport.write(b"".join(head))
            self._unsent = _small(body)
            self._write_on()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._write_on()

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError(str(error)))

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(httpx.ReadError(str(error or "the connection was closed before the answer")))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > _LARGEST_ANSWER:
            self._fail(httpx.RemoteProtocolError("the answer is too large"))

    def on_message_complete(self) -> None:
        if not self.answer.done() and self._parser is not None:
            self.answer.set_result(
                httpx.Response(self._parser.get_status_code(), headers=self._headers, content=bytes(self._body))
            )

    def _write_on(self) -> None:
        """Write what is left, until the transport has enough."""
        assert self._transport is not None  # noqa: S101 - narrows the type
        while not self._paused and (piece := next(self._unsent, None)) is not None:
            self._transport.write(piece)

    def _fail(self, error: httpx.TransportError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # retrieved: a caller that is cancelled while it connects never asks


def _small(pieces: Sequence[bytes | bytearray]) -> Iterator[memoryview]:
    for piece in pieces:
        for at in range(0, len(piece), _WRITTEN_AT_ONCE):
            yield memoryview(piece)[at : at + _WRITTEN_AT_ONCE]
