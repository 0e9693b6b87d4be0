"""Traces are off without an endpoint, which costs nothing; what would never arrive is refused at start."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from service_kit import tracing
from service_kit.tracing import trace_id_of, wanted

ROOT = Path(__file__).parents[2]
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SDK = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto")


@pytest.mark.parametrize(
    ("env", "is_wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "ocr", "OTEL_TRACES_SAMPLER": "always_on"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "false"}, True),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_decide(env: dict[str, str], *, is_wanted: bool) -> None:
    assert wanted(env) == is_wanted


@pytest.mark.parametrize("module", ["api_gateway.app", "model_server.server"])
def test_without_an_endpoint_the_sdk_is_not_imported(module: str) -> None:
    """FastAPI itself imports OpenTelemetry's interfaces, in any case."""
    code = (
        f"import sys; sys.argv[1:] = []; import {module}; from service_kit import tracing\n"
        "with tracing.running('x'), tracing.span('y', pages=1) as span, tracing.wait('z'):\n"
        "    assert span is tracing.NO_SPAN and tracing.begin('POST', {}) is None\n"
        "    tracing.note('n'); tracing.add(words=1)\n"
        "    assert tracing.headers() == [] and tracing.trace_id() is tracing.exemplar() is None\n"
        f"print([name for name in sys.modules if name.startswith({SDK!r})])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], check=False, env={}, capture_output=True, text=True, timeout=120
    )
    assert found.stdout.strip() == "[]", found.stdout + found.stderr


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL is grpc"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "not an http or https URL: collector:4318"),
        ({**ENDPOINT, "OTEL_BSP_MAX_QUEUE_SIZE": "1"}, "OpenTelemetry's variables are wrong"),
    ],
)
def test_traces_that_would_never_arrive_end_the_start(env: dict[str, str], text: str) -> None:
    code = "from service_kit import tracing\nwith tracing.running('x'): print('runs')"
    found = subprocess.run(
        [sys.executable, "-c", code], check=False, env=env, capture_output=True, text=True, timeout=60
    )
    assert found.returncode == 1
    assert text in found.stderr
    assert "Traceback" not in found.stderr


def test_the_name_of_the_service_is_ours_unless_it_has_one() -> None:
    code = (
        "from service_kit.otel import Traces; print(Traces('ours')._provider.resource.attributes['service.name'])"
    )
    for env, name in (
        ({}, "ours"),
        ({"OTEL_SERVICE_NAME": "theirs"}, "theirs"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs,deployment=test"}, "theirs"),
    ):
        found = subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            env={**ENDPOINT, **env},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert found.stdout.strip() == name, found.stderr


def test_only_recorded_traces_have_an_id_to_look_up() -> None:
    assert trace_id_of(PARENT) == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert trace_id_of(PARENT[:-1] + "0") is None
    assert trace_id_of(None) is None


def test_one_module_knows_opentelemetry() -> None:
    for package in ("service_kit", "model_server", "api_gateway"):
        for file in (ROOT / package).rglob("*.py"):
            names = {
                name
                for node in ast.walk(ast.parse(file.read_text()))
                for name in (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else []
                )
            }
            knows = any(name.startswith("opentelemetry") for name in names)
            assert knows == (file.name == "otel.py"), file


def test_what_follows_an_unrecorded_trace_is_told_so() -> None:
    assert tracing.remote(PARENT) is None  # as long as traces are off
