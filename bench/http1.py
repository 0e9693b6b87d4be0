"""A minimal HTTP/1.1 client for the load generator: sends prepared bytes, reads an answer with a length.

It uses the same cores as the services, so it must be cheap: about 0.1 ms per request; a general client needs more
than 1 ms.
"""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple, cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


class Answer(NamedTuple):
    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._head_end = -1
        self._wanted = 0
        self._answer: asyncio.Future[Answer] | None = None
        self.usable = True

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    async def ask(self, request: bytes) -> Answer:
        """Send a whole request and wait for its answer.

        Raises:
            ConnectionError: the answer is incomplete or has no length.
        """
        if self._transport is None or not self.usable:
            raise ConnectionError
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class is no subclass

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._head_end < 0:
            self._head_end = self._received.find(_HEAD_END)
            if self._head_end < 0:
                return
            length = _LENGTH.search(self._received, 0, self._head_end)
            if length is None:
                self._fail()
                return
            self._wanted = self._head_end + len(_HEAD_END) + int(length[1])
        if len(self._received) >= self._wanted:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._fail()

    def _finish(self) -> None:
        status = int(self._received[9:12])
        body = bytes(self._received[self._head_end + len(_HEAD_END) : self._wanted])
        if _CLOSE.search(self._received, 0, self._head_end):
            self.close()
        self._received.clear()
        self._head_end = -1
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(status, body))

    def _fail(self) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError())
