"""Both services with a real Jaeger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from scripts import services
from tests.faults.pair import until
from tests.faults.receiver import SECRET
from tests.traces.jaeger import Jaeger, jaeger

MODEL = {
    "WORKERS": "2",
    "NEURAL": "false",
    "ENVIRONMENT": "test",
    "TEST_ENGINE": "tests.faults.engines:Faulty",
    "SHUTDOWN_DELAY_SECONDS": "0",
}
GATEWAY = {
    "SHUTDOWN_DELAY_SECONDS": "0",
    "WEBHOOK_SECRETS": SECRET,
    "WEBHOOK_ALLOW": "127.0.0.1",
}


@dataclass(frozen=True)
class Traced:
    jaeger: Jaeger
    model: services.Service
    gateway: services.Service
    model_log: Path
    gateway_log: Path

    def lines(self, log: Path, event: str, **fields: str) -> list[dict[str, Any]]:
        """The lines of a log with these values, at least one. A line may come a moment after its answer."""

        def found() -> list[dict[str, Any]]:
            lines = log.read_bytes().split(b"\n")[:-1]
            return [
                line for line in map(orjson.loads, lines) if {"event": event, **fields}.items() <= line.items()
            ]

        result: list[dict[str, Any]] = until(found, f"{event} in the log")
        return result


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    with jaeger(tmp_path_factory.mktemp("jaeger") / "log") as started:
        yield started


@pytest.fixture(scope="session")
def traced(collector: Jaeger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("traced")
    logs = folder / "model.log", folder / "gateway.log"
    standard = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    gateway = {**GATEWAY, "JOBS_DIR": str(folder / "jobs")}
    with logs[0].open("wb") as model_log, logs[1].open("wb") as gateway_log:
        model = services.model_server({**standard, **_prefixed("MODEL_SERVER_", MODEL)}, model_log)
        with (
            model,
            services.api_gateway(
                model.url, {**standard, **_prefixed("API_GATEWAY_", gateway)}, gateway_log
            ) as started,
        ):
            yield Traced(collector, model, started, *logs)


@pytest.fixture
def client(traced: Traced) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=traced.gateway.url, timeout=60, trust_env=False) as opened:
        yield opened


def _prefixed(prefix: str, settings: dict[str, str]) -> dict[str, str]:
    return {prefix + name: value for name, value in settings.items()}
