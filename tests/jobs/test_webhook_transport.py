"""Calls to URLs of clients, over real sockets: where they go, what they verify, and when they give up."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_gateway.jobs.webhooks.addresses import Address, Allowed
from api_gateway.jobs.webhooks.lookups import Lookups
from api_gateway.jobs.webhooks.transport import CallFailed, CheckedTransport, Resolve, system_authorities
from tests.jobs.receivers import Answer, Certified, Received, accept, hang, receiver, status

PUBLIC = "93.184.216.34"
NAMED = ["127.0.0.1/32"]


@pytest.fixture
def tls(tmp_path: Path) -> Certified:
    return Certified(tmp_path)


class Names:
    """A name server in which each look-up of any name takes the next answer; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = [*answers]
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[Address]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ipaddress.ip_address(address) for address in answer]


async def post(
    tls: Certified | None, url: str, allow: list[str], resolve: Resolve | None = None, seconds: float = 5
) -> int:
    context = tls.client if tls else ssl.create_default_context()
    transport = CheckedTransport(Allowed(allow), context, resolve)
    async with transport.call("POST", url, {"x-test": "1"}, b"body", seconds) as response:
        return response.status


async def exchange(tls: Certified, answer: Answer, allow: list[str], host: str = "127.0.0.1") -> int | str:
    async with receiver(tls.server, answer) as found:
        try:
            return await post(tls, found.url(host), allow, seconds=1)
        except CallFailed as failure:
            return str(failure)


def test_a_call_arrives_with_its_path_its_host_and_its_body(tls: Certified) -> None:
    async def run() -> None:
        async with receiver(tls.server) as found:
            assert await post(tls, found.url("localhost"), ["localhost"]) == 204
            (request,) = found.requests
            assert request.line == "POST /hook?a=b HTTP/1.1"
            assert request.headers["host"] == f"localhost:{found.port}"
            assert request.headers["x-test"] == "1"
            assert request.body == b"body"

    asyncio.run(run())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_connects_to_an_address_of_this_machine(tls: Certified, host: str) -> None:
    """localhost is looked up by the system's own resolver."""

    async def run() -> None:
        async with receiver(tls.server) as found:
            with pytest.raises(CallFailed, match="not public"):
                await post(tls, found.url(host), [])
            assert not found.connections

    asyncio.run(run())


def test_a_name_is_looked_up_anew_in_each_try_and_refused_when_it_has_moved(tls: Certified) -> None:
    """It was allowed by its network, and then it moves to another private address."""

    async def run() -> None:
        names = Names(["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"])
        async with receiver(tls.server) as found:
            for _ in range(2):
                assert await post(tls, found.url("moving.many.example"), NAMED, names) == 204
            with pytest.raises(CallFailed, match="not public"):
                await post(tls, found.url("moving.many.example"), NAMED, names)
            assert found.connections == 2
        assert len(names.asked) == 3

    asyncio.run(run())


def test_a_name_is_not_looked_up_again_between_check_and_connection(tls: Certified) -> None:
    """The second look-up would give the receiver's address."""

    async def run() -> None:
        names = Names(["127.0.0.2"], ["127.0.0.1"])
        async with receiver(tls.server) as found:
            with pytest.raises(CallFailed, match="no connection"):
                await post(tls, found.url("moving.many.example"), ["127.0.0.2/32"], names)
            assert not found.connections
        assert len(names.asked) == 1

    asyncio.run(run())


@pytest.mark.parametrize("other", ["10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
def test_one_private_address_among_public_ones_is_enough_to_refuse(tls: Certified, other: str) -> None:
    async def run() -> None:
        with pytest.raises(CallFailed, match="not public"):
            await post(tls, "https://mixed.example/", [], Names([PUBLIC, other]))

    asyncio.run(run())


def test_the_next_address_is_tried_if_one_does_not_answer(tls: Certified) -> None:
    async def run() -> None:
        async with receiver(tls.server) as found:
            names = Names(["127.0.0.2", "127.0.0.1"])
            assert await post(tls, found.url("hooks.example"), ["hooks.example"], names) == 204

    asyncio.run(run())


def test_http_is_for_allowed_hosts_only() -> None:
    async def run() -> None:
        async with receiver(None) as found:
            assert await post(None, found.url("127.0.0.1", "http"), NAMED) == 204
            assert await post(None, found.url("localhost", "http"), ["localhost"]) == 204
            for allow in ([], ["10.0.0.0/8"]):
                with pytest.raises(CallFailed, match="http is only for"):
                    await post(None, "http://public.example/", allow, Names([PUBLIC]))
            assert found.connections == 2

    asyncio.run(run())


def test_a_certificate_is_verified_against_the_name_not_the_address(tls: Certified, tmp_path: Path) -> None:
    async def run() -> None:
        async with receiver(tls.server) as found:
            assert await post(tls, found.url("hooks.example"), NAMED, Names(["127.0.0.1"])) == 204
            with pytest.raises(CallFailed, match="certificate is not valid: Hostname mismatch"):
                await post(tls, found.url("unknown.example"), NAMED, Names(["127.0.0.1"]))
            (tmp_path / "other").mkdir()
            with pytest.raises(CallFailed, match="certificate is not valid"):
                await post(Certified(tmp_path / "other"), found.url(), NAMED)
            assert len(found.requests) == 1

    asyncio.run(run())


def test_a_receiver_without_tls_gets_nothing(tls: Certified) -> None:
    async def run() -> None:
        async with receiver(None) as found:
            with pytest.raises(CallFailed):
                await post(tls, found.url(), NAMED, seconds=2)
            assert not found.requests

    asyncio.run(run())


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_nothing_is_sent_to_its_target(tls: Certified, code: int) -> None:
    async def run() -> None:
        async with receiver(None) as private:
            moved = status(code, f"Location: http://127.0.0.1:{private.port}/")
            assert await exchange(tls, moved, NAMED) == code
            assert not private.connections

    asyncio.run(run())


def test_no_proxy_of_the_environment_is_used(tls: Certified, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with receiver(None) as proxy, receiver(tls.server) as found:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert await post(tls, found.url(), NAMED) == 204
            assert not proxy.connections

    asyncio.run(run())


async def half_a_head(_request: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    await asyncio.Event().wait()


async def one_byte_after_the_other(_request: Received, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.05)


async def endless_head(_request: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"X-Long: " + b"x" * 8000 + b"\r\n")
            await writer.drain()


async def endless_information(_request: Received, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)
            await writer.drain()


async def nonsense(_request: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"<script>secret</script>\r\n\r\n")


async def nothing(_request: Received, _writer: asyncio.StreamWriter) -> None:
    pass


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (hang, "no answer in time"),
        (half_a_head, "no answer in time"),
        (one_byte_after_the_other, "no answer in time"),
        (endless_head, "its answer is not valid HTTP"),
        (endless_information, "no answer in time"),
        (nonsense, "its answer is not valid HTTP"),
        (nothing, "its answer is not valid HTTP"),
    ],
)
def test_a_receiver_that_misbehaves_ends_the_call_in_time(tls: Certified, answer: Answer, cause: str) -> None:
    began = time.monotonic()
    found = asyncio.run(exchange(tls, answer, NAMED))
    assert time.monotonic() - began < 3
    assert found == cause


def test_a_host_that_does_not_accept_connections(tls: Certified) -> None:
    async def run() -> None:
        with pytest.raises(CallFailed, match="no connection"):
            await post(tls, "https://127.0.0.1:1/", NAMED)
        with pytest.raises(CallFailed, match="cannot be looked up"):
            await post(tls, "https://nowhere.invalid/", NAMED)

    asyncio.run(run())


def test_the_systems_authorities_are_those_of_ssl_cert_file(
    tls: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.authorities))
    system_authorities.cache_clear()

    async def run() -> None:
        async with (
            receiver(tls.server) as found,
            CheckedTransport(Allowed(NAMED)).call("POST", found.url(), {}, b"", 5) as response,
        ):
            assert response.status == 204

    asyncio.run(run())
    system_authorities.cache_clear()


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No name server answers: the system's look-up does not return until the test ends."""
    end = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host: bytes | str, *rest: object, **options: object) -> object:
        if host == b"stuck.example":
            end.wait()
            raise socket.gaierror
        return real(host, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    end.set()


@pytest.mark.usefixtures("stuck")
def test_a_name_server_that_hangs_delays_no_other_call_and_no_other_thread(tls: Certified) -> None:
    async def run() -> None:
        lookups = Lookups()
        async with receiver(tls.server) as found:
            late = [
                asyncio.create_task(post(tls, "https://stuck.example/", [], lookups, seconds=1)) for _ in range(40)
            ]
            began = time.monotonic()
            assert await post(tls, found.url("localhost"), ["localhost"], lookups) == 204
            await asyncio.to_thread(time.monotonic)
            assert time.monotonic() - began < 0.9
            for call in late:
                with pytest.raises(CallFailed, match="no answer in time"):
                    await call

    asyncio.run(run())


def test_the_name_of_a_host_is_sent_in_the_handshake(tls: Certified) -> None:
    names: list[str | None] = []
    tls.server.sni_callback = lambda _socket, name, _context: names.append(name)

    async def run() -> None:
        async with receiver(tls.server, accept) as found:
            await post(tls, found.url("hooks.example"), NAMED, Names(["127.0.0.1"]))

    asyncio.run(run())
    assert names == ["hooks.example"]
