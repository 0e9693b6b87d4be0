"""TLS between gateway and model server, with client certificates, renewed while both run."""

from __future__ import annotations

import contextlib
import signal
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import orjson
import pytest

from scripts.services import Service, answers, api_gateway, free_port, model_server
from tests.certificates import Authority
from tests.faults.pair import GATEWAY, GATEWAY_PATH, KNOWN, MODEL, MODEL_PATH, crowding, until
from tests.faults.wire import FORM, HOST, Answer, Wire, exchange, head, multipart
from tests.secret_volume import SecretVolume

SECONDS = 10.0
LARGE = KNOWN + bytes(1_500_000)  # more than is written at once


class SecurePair:
    """A model server that asks for client certificates, and a gateway that has one; each with a mounted Secret."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority()
        self.probe_port = free_port()
        self.server_secret = SecretVolume(folder / "server", self.authority.files("model-server"))
        self.client_secret = SecretVolume(folder / "client", self.authority.files("api-gateway"))
        self.model_log, self.gateway_log = folder / "model.log", folder / "gateway.log"
        self.model: Service
        self.gateway: Service

    @contextlib.contextmanager
    def running(self) -> Iterator[SecurePair]:
        with self.model_log.open("wb") as model_log, self.gateway_log.open("wb") as gateway_log:
            self.model = model_server(
                _environment(
                    "MODEL_SERVER_",
                    MODEL,
                    PROBE_PORT=str(self.probe_port),
                    TLS_CERT_FILE=str(self.server_secret / "tls.crt"),
                    TLS_KEY_FILE=str(self.server_secret / "tls.key"),
                    TLS_CLIENT_CA_FILE=str(self.server_secret / "ca.crt"),
                ),
                model_log,
            )
            self.gateway = api_gateway(
                f"https://{HOST}:{self.model.port}",
                _environment(
                    "API_GATEWAY_",
                    GATEWAY,
                    MODEL_SERVER_CERT_FILE=str(self.client_secret / "tls.crt"),
                    MODEL_SERVER_KEY_FILE=str(self.client_secret / "tls.key"),
                    MODEL_SERVER_CA_FILE=str(self.client_secret / "ca.crt"),
                ),
                gateway_log,
            )
            with self.model.start(), self.gateway.start():
                self.gateway.wait_ready()  # it asks the model server, over TLS
                yield self

    def read(self, picture: bytes = KNOWN) -> Answer:
        return exchange(self.gateway.port, "POST", GATEWAY_PATH, multipart(picture), {"content-type": FORM})

    @contextlib.contextmanager
    def caller(self, authority: Authority, certificate: SecretVolume | None) -> Iterator[ssl.SSLSocket]:
        """A connection to the model server by a client that trusts this authority."""
        context = ssl.create_default_context(cadata=authority.pem.decode())
        if certificate:
            context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
        with Wire(self.model.port) as wire, context.wrap_socket(wire.socket, server_hostname=HOST) as secure:
            yield secure

    def accepts(self, authority: Authority, certificate: SecretVolume | None = None) -> bool:
        """Whether such a client gets an answer."""
        try:
            with self.caller(authority, certificate) as secure:
                secure.sendall(head("/v1/models/ocr-model", "Connection: close", method="GET"))
                return secure.recv(100).startswith(b"HTTP/1.1 200")
        except OSError:  # ssl.SSLError, or a reset
            return False

    def not_reloaded(self, log: Path) -> list[str]:
        lines = map(orjson.loads, log.read_bytes().splitlines())
        return [line["why"] for line in lines if line["event"] == "files not reloaded"]


def _environment(prefix: str, settings: dict[str, str], **more: str) -> dict[str, str]:
    return {f"{prefix}{name}": value for name, value in {**settings, "LOG_FORMAT": "json", **more}.items()}


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecurePair]:
    with SecurePair(tmp_path_factory.mktemp("secure")).running() as started:
        yield started


def test_pictures_are_read_over_tls(secure: SecurePair) -> None:
    small, large = secure.read(), secure.read(LARGE)
    assert (small.status, large.status) == (200, 200)
    assert small.text == large.text != ""


def test_a_caller_without_a_certificate_of_the_authority_gets_no_answer(
    secure: SecurePair, tmp_path: Path
) -> None:
    assert secure.accepts(secure.authority, secure.client_secret)
    assert not secure.accepts(secure.authority)
    stranger = SecretVolume(tmp_path / "stranger", Authority().files("api-gateway"))
    assert not secure.accepts(secure.authority, stranger)
    with Wire(secure.model.port, head("/v1/models/ocr-model", method="GET")) as plain:
        assert plain.ended(), "not over plain HTTP"


def test_probes_and_metrics_have_a_plain_port(secure: SecurePair) -> None:
    for path in ("/v1/models/ocr-model", "/v2/health/live", "/v2/health/ready", "/metrics"):
        assert exchange(secure.probe_port, "GET", path).status == 200, path
    assert "ocr_workers_alive" in exchange(secure.probe_port, "GET", "/metrics").body.decode()
    for path in ("/", "/engine", "/v2/models/ocr-model", "/v2", "/docs", "/v1/models"):
        assert exchange(secure.probe_port, "GET", path).status == 404, path
    body = orjson.dumps({"instances": []})
    for path in (MODEL_PATH, "/v1/models/ocr-model"):
        assert exchange(secure.probe_port, "POST", path, body).status == 404, path


def test_a_call_that_is_refused_before_its_body_gets_its_answer(secure: SecurePair) -> None:
    with secure.caller(secure.authority, secure.client_secret) as caller:
        too_long = ("Content-Length: 999999999", "Content-Type: application/json", "Connection: close")
        caller.sendall(head(MODEL_PATH, *too_long))
        caller.sendall(b"x" * 65536)
        assert caller.recv(100).startswith(b"HTTP/1.1 413")
        while caller.recv(65536):
            pass
    assert '"exception"' not in secure.model_log.read_text()


def test_certificates_are_renewed_without_a_restart(tmp_path: Path) -> None:
    with SecurePair(tmp_path).running() as pair:
        old = SecretVolume(tmp_path / "old", pair.authority.files("api-gateway"))
        certificate, _ = pair.authority.issue("model-server")
        broken = {**pair.authority.files("model-server"), "tls.crt": certificate}
        for secret, log in ((pair.server_secret, pair.model_log), (pair.client_secret, pair.gateway_log)):
            secret.replace(broken)
            until(partial(pair.not_reloaded, log), "a key that does not fit is noticed", SECONDS)
            (why,) = pair.not_reloaded(log)
            assert why.endswith("CERT_FILE")
            assert "KEY_FILE is not the key of" in why
            assert pair.read().status == 200, "the certificate before it stays"

        new = Authority()
        pair.server_secret.replace(new.files("model-server"))
        pair.client_secret.replace(new.files("api-gateway"))
        until(lambda: pair.read().status == 200 and pair.accepts(new, pair.client_secret), "both are new", SECONDS)
        assert not pair.accepts(new, old), "the authority before is not trusted any longer"
        assert not pair.accepts(pair.authority, pair.client_secret), "nor is its certificate shown"


def test_a_model_server_of_another_authority_is_not_called(secure: SecurePair, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(Authority().pem)
    log = tmp_path / "log"
    settings = _environment("API_GATEWAY_", GATEWAY, MODEL_SERVER_CA_FILE=str(ca))
    with log.open("wb") as file, api_gateway(f"https://{HOST}:{secure.model.port}", settings, file).start() as one:
        until(lambda: answers(f"{one.url}/health/live"), "alive", 30)
        assert exchange(one.port, "GET", "/health/ready").status == 503
        answer = exchange(one.port, "POST", GATEWAY_PATH, multipart(KNOWN), {"content-type": FORM})
        assert (answer.status, answer.code) == (503, "model_server_unreachable")
        lines = [orjson.loads(line) for line in log.read_bytes().splitlines()]
        causes = [line["cause"] for line in lines if line["event"] == "TLS with the model server failed"]
        assert causes
        assert all("certificate verify failed" in cause for cause in causes)


def test_a_gateway_without_a_certificate_is_not_served(secure: SecurePair, tmp_path: Path) -> None:
    settings = _environment("API_GATEWAY_", GATEWAY, MODEL_SERVER_CA_FILE=str(secure.client_secret / "ca.crt"))
    with (tmp_path / "log").open("wb") as log:
        one = api_gateway(f"https://{HOST}:{secure.model.port}", settings, log).start()
        with one:
            until(lambda: answers(f"{one.url}/health/live"), "alive", 30)
            assert exchange(one.port, "GET", "/health/ready").status == 503
            answer = exchange(one.port, "POST", GATEWAY_PATH, multipart(KNOWN), {"content-type": FORM})
            assert (answer.status, answer.code) == (502, "model_server_failed")


def test_the_model_server_ends_well_with_callers_connected(tmp_path: Path) -> None:
    with SecurePair(tmp_path).running() as pair, Wire(pair.model.port), Wire(pair.probe_port):
        with pair.caller(pair.authority, pair.client_secret):
            pair.model.process.send_signal(signal.SIGTERM)
            assert pair.model.process.wait(4 * crowding()) == 0
        assert "exception" not in pair.model_log.read_text()
