"""docling never tries a call again: what it sends waits for memory and a worker, and no call harms another."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest

from scripts.services import Service, model_server
from tests.certificates import Authority
from tests.faults.pair import MODEL, Metrics, Watched, by_label, metrics, until
from tests.secret_volume import SecretVolume
from tests.tensor_calls import Client, Picture, Refused, Transport, http_call, infer_request, stub, white

BINARY: tuple[Transport, ...] = ("http", "grpc")
_SLOW_HEIGHT = 1001  # of tests/faults/engines.py: each pixel of width over this takes 0.01 s
LONG = 9.0  # seconds of work; a longer one would have too many pixels
SETTINGS = {**MODEL, "MAX_BODIES_MIB": "24", "MAX_MEGAPIXELS": "1.95"}


def slow(seconds: float) -> Picture:
    return white(_SLOW_HEIGHT + round(100 * seconds), _SLOW_HEIGHT)


def start(folder: Path, **settings: str) -> contextlib.AbstractContextManager[Watched]:
    @contextlib.contextmanager
    def running() -> Iterator[Watched]:
        log = folder / "model.log"
        with log.open("wb") as file:
            env = {f"MODEL_SERVER_{name}": value for name, value in {**SETTINGS, **settings}.items()}
            service = model_server(env, file)
            with service.start().wait_ready():
                yield Watched(service, log, folder)

    return running()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with start(tmp_path_factory.mktemp("model")) as watched:
        yield watched


@pytest.fixture(params=BINARY)
def client(request: pytest.FixtureRequest, server: Watched) -> Client:
    return Client(server.service, request.param)


def counted(service: Service) -> Callable[[], tuple[dict[str, int], dict[str, int]]]:
    """Outcomes, and reasons of restarts, since now; earlier calls are counted first."""
    until(lambda: metrics(service)["ocr_in_flight"] == 0, "earlier calls are counted")
    before = metrics(service)

    def since() -> tuple[dict[str, int], dict[str, int]]:
        now = metrics(service)

        def more(name: str, label: str) -> dict[str, int]:
            return dict(by_label(now, name, label) - by_label(before, name, label))

        return more("ocr_requests_total", "outcome"), more("ocr_worker_restarts_total", "reason")

    return since


def idle(service: Service) -> bool:
    found: Metrics = metrics(service)
    return (found["ocr_in_flight"], found["ocr_queue_length"], found["ocr_workers_alive"]) == (0, 0, 2)


def test_a_deadline_ends_the_work(client: Client, server: Watched) -> None:
    since = counted(server.service)
    if client.transport == "grpc":
        with pytest.raises(Refused) as refused:
            client.read(slow(LONG), seconds=0.5)
        assert refused.value.status == "DEADLINE_EXCEEDED"
    else:
        body, headers = http_call(slow(LONG))
        answer = post(server.service, body, {**headers, "x-request-timeout": "0.5"})
        assert answer == 504
    until(lambda: since() == ({"deadline_exceeded": 1}, {"deadline": 1}), "counted, and the worker replaced")
    assert client.read(slow(0.1)).texts == ["slow"]
    until(lambda: idle(server.service), "idle again")


def test_a_client_that_cancels_ends_the_work(client: Client, server: Watched) -> None:
    since, before = counted(server.service), taken(server.service)
    if client.transport == "grpc":
        with stub(server.service) as service:
            call = service.ModelInfer.future(infer_request(slow(LONG)), timeout=60)
            until(lambda: taken(server.service) > before, "a worker reads it")
            call.cancel()
    else:
        body, headers = http_call(slow(LONG))
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            lines = [f"{name}: {value}" for name, value in {**headers, "content-length": len(body)}.items()]
            head = "\r\n".join(["POST /v2/models/ocr-model/infer HTTP/1.1", "host: x", *lines, "", ""])
            connection.sendall(head.encode() + body)
            until(lambda: taken(server.service) > before, "a worker reads it")
    until(lambda: since() == ({"client_gone": 1}, {"abandoned": 1}), "counted, and the worker replaced")
    assert client.read(slow(0.1)).texts == ["slow"]
    until(lambda: idle(server.service), "idle again")


def taken(service: Service) -> int:
    """Pages that a worker has begun."""
    return int(metrics(service)["ocr_queue_wait_seconds_count"])


@pytest.mark.slow
def test_sixteen_clients_at_four_times_the_capacity_lose_nothing(client: Client, server: Watched) -> None:
    """Two workers and half a second a page: a document of two pages has 16 s of work in front of it.

    The memory for bodies is enough for some of these pages, and the others wait with their pixels unread.
    """
    since = counted(server.service)
    began = time.monotonic()
    with ThreadPoolExecutor(16) as clients:
        found = list(clients.map(lambda _: [client.read(slow(0.5)).texts for _ in range(2)], range(16)))
    assert time.monotonic() - began > 7, "they waited"
    assert found == [[["slow"], ["slow"]]] * 16
    until(lambda: since() == ({"ok": 32}, {}), "all are counted")


def test_too_many_pixels(client: Client, server: Watched) -> None:
    since = counted(server.service)
    with pytest.raises(Refused) as refused:
        client.read(white(1, 1_950_001))
    assert refused.value.status == (422 if client.transport == "http" else "INVALID_ARGUMENT")
    assert refused.value.code == "too_many_pixels"
    until(lambda: since() == ({"too_many_pixels": 1}, {}), "counted as such")


def test_a_message_that_is_too_large(client: Client, server: Watched) -> None:
    since = counted(server.service)
    with pytest.raises(Refused) as refused:
        client.read(white(4000, 2000))
    assert refused.value.status == (413 if client.transport == "http" else "RESOURCE_EXHAUSTED")
    until(lambda: since() == ({"payload_too_large": 1}, {}), "counted as such")


def test_a_worker_that_dies_fails_its_call_alone(client: Client, server: Watched) -> None:
    with pytest.raises(Refused) as refused:
        client.read(white(201, 61))  # Fault.SEGFAULT
    assert refused.value.status == (503 if client.transport == "http" else "UNAVAILABLE")
    assert refused.value.code == "worker_crashed"
    assert client.read(slow(0.1)).texts == ["slow"]
    until(lambda: idle(server.service), "idle again")


def test_a_client_that_sends_no_message_keeps_no_memory_for_long(server: Watched) -> None:
    """While its message could arrive, nobody else's is read; other contracts do not wait."""
    silent, released = threading.Event(), threading.Event()

    def nothing() -> Iterator[bytes]:
        silent.set()
        released.wait(30)
        yield from ()

    with grpc.insecure_channel(f"127.0.0.1:{server.service.grpc_port}") as channel:
        call = channel.stream_unary("/inference.GRPCInferenceService/ModelInfer").future(nothing(), timeout=60)
        assert silent.wait(10)
        try:
            assert Client(server.service, "grpc").read(slow(0.1), seconds=30).texts == ["slow"]
            assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert "did not arrive in time" in call.details()
        finally:
            released.set()


@pytest.mark.slow
def test_a_call_in_flight_is_finished_before_the_server_ends(tmp_path: Path) -> None:
    with start(tmp_path) as server, ThreadPoolExecutor(2) as clients:
        calls = [clients.submit(Client(server.service, transport).read, slow(2)) for transport in BINARY]
        until(lambda: taken(server.service) == 2, "both are read")
        server.service.process.send_signal(signal.SIGTERM)
        assert [call.result().texts for call in calls] == [["slow"], ["slow"]]
        assert server.service.process.wait(20) == 0
        with pytest.raises(Refused) as refused:
            Client(server.service, "grpc").read(slow(0.1), seconds=5)
        assert refused.value.status in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        server.check_log()


@pytest.mark.slow
def test_a_call_that_outlasts_the_grace_period_is_answered(tmp_path: Path) -> None:
    settings = {"REQUEST_TIMEOUT_SECONDS": "1", "SHUTDOWN_GRACE_SECONDS": "1", "MAX_QUEUE": "8"}
    with start(tmp_path, **settings) as server, ThreadPoolExecutor(1) as clients:
        with stub(server.service) as service:
            call = service.ModelInfer.future(infer_request(slow(LONG)), timeout=60)
            until(lambda: taken(server.service), "it is read")
            server.service.process.send_signal(signal.SIGTERM)
            waited = clients.submit(call.code)
            assert waited.result(20) in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        assert server.service.process.wait(20) == 0
        server.check_log()


@pytest.mark.slow
def test_without_a_port_nothing_listens(tmp_path: Path) -> None:
    with start(tmp_path, GRPC_PORT="0") as server:
        listening = [line for line in server.log_lines_of("listening") if line.get("protocol") == "grpc"]
        assert not listening
        assert Client(server.service, "http").read(slow(0.1)).texts == ["slow"]


@pytest.mark.slow
def test_a_port_in_use_is_reported_at_once(server: Watched, tmp_path: Path) -> None:
    log = tmp_path / "second.log"
    with log.open("wb") as file:
        port = str(server.service.grpc_port)
        env = {f"MODEL_SERVER_{name}": value for name, value in {**SETTINGS, "GRPC_PORT": port}.items()}
        second = model_server(env, file).start()
        assert second.process.wait(30) != 0
    assert f"Can't listen on 127.0.0.1:{port}" in log.read_text()


@pytest.mark.slow
def test_tls_with_client_certificates_that_are_renewed(tmp_path: Path) -> None:
    authority, stranger = Authority(), Authority()
    secret = SecretVolume(tmp_path / "secret", authority.files("model-server"))
    files = {"TLS_CERT_FILE": "tls.crt", "TLS_KEY_FILE": "tls.key", "TLS_CLIENT_CA_FILE": "ca.crt"}
    settings = {name: str(secret / file) for name, file in files.items()}

    def call(port: int, trusted: Authority, issuer: Authority | None) -> grpc.StatusCode:
        own = issuer.issue("caller") if issuer else (None, None)
        credentials = grpc.ssl_channel_credentials(trusted.pem, own[1], own[0])
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
            try:
                infer(infer_request(slow(0.1)).SerializeToString(), timeout=10)
            except grpc.RpcError as error:
                return error.code()
        return grpc.StatusCode.OK

    with start_secure(tmp_path, settings) as server:
        port = server.service.grpc_port
        assert call(port, authority, authority) is grpc.StatusCode.OK
        assert call(port, authority, stranger) is grpc.StatusCode.UNAVAILABLE
        assert call(port, authority, None) is grpc.StatusCode.UNAVAILABLE
        renewed = Authority()
        secret.replace(renewed.files("model-server"))
        assert call(port, renewed, renewed) is grpc.StatusCode.OK
        assert call(port, authority, authority) is grpc.StatusCode.UNAVAILABLE
        server.check_log()


@contextlib.contextmanager
def start_secure(folder: Path, settings: dict[str, str]) -> Iterator[Watched]:
    """Yields when its gRPC server listens; plain HTTP cannot ask whether it is ready."""
    log = folder / "model.log"
    env = {f"MODEL_SERVER_{name}": value for name, value in {**SETTINGS, **settings}.items()}
    with log.open("wb") as file:
        service = model_server(env, file).start()
        with service:
            watched = Watched(service, log, folder)
            until(lambda: watched.log_lines_of("listening"), "it listens", 30)
            yield watched


def post(service: Service, body: bytes, headers: dict[str, str]) -> int:
    url = f"{service.url}/v2/models/ocr-model/infer"
    return httpx.post(url, content=body, headers=headers, timeout=60, trust_env=False).status_code
