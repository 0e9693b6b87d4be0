"""The gateway's metrics on a port of their own."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.services import Service, ServiceFailed, api_gateway, free_port, in_use
from tests.faults.pair import GATEWAY_PATH, KNOWN, crowding, until
from tests.faults.wire import (
    FORM,
    HOST,
    Answer,
    StandIn,
    Wire,
    exchange,
    head,
    multipart,
    sound,
    stand_in,
    upload_head,
)

SECONDS = 10.0


@contextlib.contextmanager
def gateway(upstream: StandIn, folder: Path, metrics_port: int, **settings: str) -> Iterator[Service]:
    more = {"METRICS_PORT": str(metrics_port), "SHUTDOWN_DELAY_SECONDS": "0", "LOG_FORMAT": "json", **settings}
    env = {f"API_GATEWAY_{name}": value for name, value in more.items()}
    with (folder / "log").open("wb") as log, api_gateway(upstream.url, env, log) as service:
        yield service


def counted(port: int, line: str) -> bool:
    answer = exchange(port, "GET", "/metrics")
    assert answer.status == 200
    return line in answer.body.decode().splitlines()


def read(port: int) -> Answer:
    return exchange(port, "POST", GATEWAY_PATH, multipart(KNOWN), {"content-type": FORM})


def test_metrics_are_on_their_own_port_and_nowhere_else(tmp_path: Path) -> None:
    port = free_port()
    with stand_in() as upstream, gateway(upstream, tmp_path, port) as service:
        assert read(service.port).status == 200
        assert counted(port, 'gateway_requests_total{contract="gateway",outcome="ok",status="200"} 1.0')
        absent = exchange(service.port, "GET", "/metrics")
        assert (absent.status, absent.code) == (404, "not_found")
        assert "/metrics" not in exchange(service.port, "GET", "/openapi.json").json["paths"]
        for path in ("/", "/health/live", "/gateway/languages", "/openapi.json", "/docs"):
            assert exchange(port, "GET", path).status == 404, path
        assert read(port).status == 404


def test_a_port_for_metrics_that_is_in_use_is_reported_at_start(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as other, stand_in() as upstream:
        taken = other.getsockname()[1]
        with pytest.raises(ServiceFailed), gateway(upstream, tmp_path, taken):
            pass
        assert (tmp_path / "log").read_text() == f"Can't listen on {HOST}:{taken}: Address already in use.\n"


def test_metrics_answer_until_the_end_and_do_not_delay_it(tmp_path: Path) -> None:
    port, release = free_port(), threading.Event()

    def late(wire: socket.socket) -> None:
        release.wait(SECONDS)
        sound(wire)

    with stand_in() as upstream, gateway(upstream, tmp_path, port, DOCUMENT_GRACE_SECONDS="60") as service:
        upstream.does(late)
        with Wire(service.port) as client, Wire(port, head("/metrics", method="GET")) as scraper:
            assert scraper.answer().status == 200
            body = multipart(KNOWN)
            client.say(upload_head(len(body)) + body)
            until(lambda: upstream.calls, "the call")
            service.process.send_signal(signal.SIGTERM)
            until(lambda: not in_use(service.port), "the main port is closed")
            assert counted(port, "gateway_in_flight 1.0")
            release.set()
            assert client.answer().status == 200
            assert service.process.wait(SECONDS * crowding()) == 0, "a kept connection to the metrics ends, too"
            assert scraper.ended()
        assert not in_use(port)
