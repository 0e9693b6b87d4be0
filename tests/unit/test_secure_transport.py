"""The gateway's transport over TLS: whole bodies, and no encrypted copy of what a slow server does not read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
import uvloop

from api_gateway.upstream.transport import FreshConnections, Pieces
from service_kit.followed import Followed
from service_kit.tls import PemFile, TlsFiles, calling_context, listening_context
from tests.certificates import Authority

MIB = 1 << 20
PIECES = [b"a", bytes(5 * MIB), b"z" * 1000]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    for name, content in Authority().files("one").items():
        (tmp_path / name).write_bytes(content)
    return TlsFiles(*(PemFile(name, tmp_path / name) for name in ("tls.crt", "tls.key", "ca.crt")))


class Server(asyncio.Protocol):
    """Answers a request whose head and body are as long as PIECES, or reads nothing."""

    def __init__(self, received: bytearray, *, reads: bool) -> None:
        self._received = received
        self._reads = reads

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        if not self._reads:
            transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(PIECES[-1]):
            self._transport.write(ANSWER)


async def call(files: TlsFiles, client: TlsFiles, received: bytearray, *, reads: bool = True) -> httpx.Response:
    context = listening_context(files)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(received, reads=reads), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    request = httpx.Request(
        "POST",
        f"https://127.0.0.1:{port}/",
        stream=Pieces(PIECES),
        headers=[("content-length", str(sum(map(len, PIECES))))],
        extensions={"timeout": {"connect": 10, "read": 10 if reads else 1}},
    )
    try:
        tls = Followed("TLS", client.paths, lambda: calling_context(client))
        return await FreshConnections(tls).handle_async_request(request)
    finally:
        server.close()


def test_a_large_body_arrives_whole(files: TlsFiles) -> None:
    received = bytearray()
    assert uvloop.run(call(files, files, received)).content == b"ok"
    assert bytes(received).partition(b"\r\n\r\n")[2] == b"".join(PIECES)


def test_a_server_that_does_not_read_leaves_the_body_as_it_is(files: TlsFiles) -> None:
    """What is written to TLS is encrypted, and so copied, at once."""
    Path("/proc/self/clear_refs").write_text("5")  # begins a new peak
    before = peak_mib()
    with pytest.raises(httpx.ReadTimeout):
        uvloop.run(call(files, files, bytearray(), reads=False))
    assert peak_mib() - before < 4


def peak_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def test_a_caller_without_a_certificate_gets_no_answer(files: TlsFiles) -> None:
    nothing = TlsFiles(PemFile("", None), PemFile("", None), files.authorities)
    received = bytearray()
    with pytest.raises(httpx.ReadError):  # in TLS 1.3, the server refuses when the caller has begun to send
        uvloop.run(call(files, nothing, received))
    assert not received
