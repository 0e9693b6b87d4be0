"""Receivers of webhooks: real servers on 127.0.0.1, with TLS unless asked otherwise, well or badly behaved."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.certificates import Authority

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
HOSTS = ("localhost", "hooks.example", "*.many.example")


@dataclass
class Received:
    """A request as it arrived; `headers` have names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


async def accept(_request: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


def status(code: int, *headers: str) -> Answer:
    head = "\r\n".join([f"HTTP/1.1 {code} X", "Content-Length: 0", *headers, "", ""]).encode()

    async def answer(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head)

    return answer


async def hang(_request: Received, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@dataclass
class Receiver:
    """What a server has seen. `connections` counts those that were opened, also without a request."""

    port: int = 0
    connections: int = 0
    requests: list[Received] = field(default_factory=list)
    now: int = 0  # requests being answered
    most: int = 0  # the largest `now` so far
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def url(self, host: str = "127.0.0.1", scheme: str = "https") -> str:
        return f"{scheme}://{host}:{self.port}/hook?a=b"

    async def received(self, count: int) -> list[Received]:
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(lambda: len(self.requests) >= count)
        return self.requests


class Certified:
    """An authority, and contexts for both sides."""

    def __init__(self, folder: Path) -> None:
        authority = Authority()
        certificate, key = authority.issue("receiver", HOSTS)
        for name, content in (("tls.crt", certificate), ("tls.key", key), ("ca.crt", authority.pem)):
            (folder / name).write_bytes(content)
        self.authorities = folder / "ca.crt"
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self.client = ssl.create_default_context(cafile=self.authorities)


@contextlib.asynccontextmanager
async def receiver(tls: ssl.SSLContext | None, answer: Answer = accept) -> AsyncIterator[Receiver]:
    found = Receiver()
    handlers: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        handlers.add(task)
        found.connections += 1
        # a task that ends cancelled is reported as an error by asyncio's streams
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError
        ):
            request = await _read(reader)
            found.now += 1
            found.most = max(found.most, found.now)
            async with found.changed:
                found.requests.append(request)
                found.changed.notify_all()
            try:
                await answer(request, writer)
                await writer.drain()
            finally:
                found.now -= 1
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
    return Received(head[0], headers, await reader.readexactly(int(headers.get("content-length", "0"))))
