"""A collector that is away, slow or failing delays no request and no shutdown, and is reported once."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from scripts import services
from scripts.services import Service, free_port
from tests.faults.pair import crowding, until
from tests.faults.wire import StandIn, sound, stand_in
from tests.traces.otlp import collecting

LAST_SECONDS = 2.0  # that the end of the process waits for its spans
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "50"}


@dataclass(frozen=True)
class Lone:
    """A gateway with a stand-in for the model server."""

    service: Service
    log: Path

    def lines(self, logger: str = "traces") -> list[dict[str, Any]]:
        lines = self.log.read_bytes().split(b"\n")[:-1]
        return [line for line in map(orjson.loads, lines) if line["logger"] == logger]

    def read(self, picture: bytes) -> float:
        """Seconds of a request."""
        began = time.monotonic()
        answer = httpx.post(
            f"{self.service.url}/gateway/ocr", files={"image_file": ("a", picture)}, timeout=20, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        return time.monotonic() - began

    def stop(self) -> float:
        """Seconds until the process has ended by itself."""
        began = time.monotonic()
        assert self.service.stop() == 0
        return time.monotonic() - began


@pytest.fixture(scope="module")
def upstream() -> Iterator[StandIn]:
    with stand_in() as started:
        started.does(sound)
        yield started


@contextlib.contextmanager
def gateway(upstream: StandIn, folder: Path, endpoint: str, **env: str) -> Iterator[Lone]:
    log = folder / "gateway.log"
    settings = {
        "API_GATEWAY_SHUTDOWN_DELAY_SECONDS": "0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        **QUICK,
        **env,
    }
    with log.open("wb") as output, services.api_gateway(upstream.url, settings, output) as started:
        yield Lone(started, log)


def test_a_collector_that_is_away_is_reported_once_and_its_return_too(
    upstream: StandIn, tmp_path: Path, label_png: bytes
) -> None:
    port = free_port()
    env = {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    with gateway(upstream, tmp_path, f"http://127.0.0.1:{port}", **env) as lone:
        for _ in range(5):
            assert lone.read(label_png) < crowding()
        until(lambda: len(lone.lines()) > 1, "it is reported", 10)
        lone.read(label_png)
        with collecting(port) as collector:
            until(lambda: lone.read(label_png) and collector.names, "spans arrive", 20)
            until(lambda: lone.lines()[-1]["event"] == "traces are sent again", "its return is reported", 10)
            lines = lone.lines()
        events = [line["event"] for line in lines]
        assert events == [
            "traces are on", "traces cannot be sent; they are dropped until they can", "traces are sent again",
        ]  # fmt: skip
        assert lines[-1]["lost_spans"] > 0
        assert not [line for line in lone.lines("urllib3.connectionpool") if line["level"] != "debug"]


@pytest.mark.parametrize("status", [500, 503])
def test_a_failing_collector_costs_no_request_and_one_line(
    upstream: StandIn, tmp_path: Path, label_png: bytes, status: int
) -> None:
    with collecting() as collector, gateway(upstream, tmp_path, collector.endpoint) as lone:
        collector.status = status
        assert lone.read(label_png) < crowding()
        until(lambda: collector.requests, "spans are sent")
        assert lone.read(label_png) < crowding()
        assert lone.stop() < (LAST_SECONDS + 2) * crowding()
        assert [line["event"] for line in lone.lines() if line["level"] != "info"] == [
            # After 503 the exporter tries again for a while.
            "traces cannot be sent; they are dropped until they can"
            if status == 500
            else "traces not sent at the end"
        ]


def test_a_slow_collector_delays_neither_a_request_nor_the_end(
    upstream: StandIn, tmp_path: Path, label_png: bytes
) -> None:
    with collecting() as collector, gateway(upstream, tmp_path, collector.endpoint) as lone:
        collector.seconds = 60
        lone.read(label_png)
        until(lambda: collector.requests, "spans are on their way")
        assert lone.read(label_png) < crowding()
        assert lone.stop() < (LAST_SECONDS + 2) * crowding()
        assert lone.lines()[-1]["event"] == "traces not sent at the end"


def test_the_last_spans_are_sent_at_the_end(upstream: StandIn, tmp_path: Path, label_png: bytes) -> None:
    with (
        collecting() as collector,
        gateway(upstream, tmp_path, collector.endpoint, OTEL_BSP_SCHEDULE_DELAY="60000") as lone,
    ):
        lone.read(label_png)
        assert not collector.names
        assert lone.stop() < LAST_SECONDS * crowding()
        assert "POST /gateway/ocr" in collector.names


def test_a_full_queue_drops_spans_in_silence(upstream: StandIn, tmp_path: Path, label_png: bytes) -> None:
    env = {"OTEL_BSP_MAX_QUEUE_SIZE": "4", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4"}
    with collecting() as collector, gateway(upstream, tmp_path, collector.endpoint, **env) as lone:
        collector.seconds = 60
        for _ in range(10):
            assert lone.read(label_png) < crowding()
        assert [line["event"] for line in lone.lines()] == ["traces are on"]


def test_the_collector_s_key_does_not_reach_child_processes(
    upstream: StandIn, tmp_path: Path, label_png: bytes
) -> None:
    env = {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret-of-the-collector"}
    with collecting() as collector, gateway(upstream, tmp_path, collector.endpoint, **env) as lone:
        lone.read(label_png)
        until(lambda: collector.names, "spans arrive")
        assert collector.headers["api-key"] == "secret-of-the-collector"
    code = "from api_gateway.settings import GatewaySettings as S; print([*S().child_environment()])"
    found = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    assert "OTEL" not in found.stdout
