"""The charts set OpenTelemetry's standard variables, and let traces out, only if there is a collector."""

from __future__ import annotations

from typing import Any

import pytest

from service_kit.tracing import check, wanted
from tests.charts import tools
from tests.charts.tools import CHARTS, OPTIONS, env, merged, one, option, refusal, render

CHART = pytest.mark.parametrize("chart", [*CHARTS])


def egress(rendered: tools.Rendered) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = one(rendered, "NetworkPolicy")["spec"]["egress"]
    return rules


@CHART
def test_without_a_collector_nothing_is_set(chart: str) -> None:
    rendered = render(chart, {"networkPolicy": {"enabled": True}})
    assert not [name for name in env(rendered) if name.startswith("OTEL")]
    assert 4318 not in [port["port"] for rule in egress(rendered) for port in rule["ports"]]


@CHART
def test_traces_go_to_the_collector_that_the_values_name(chart: str) -> None:
    found = env(option(chart, "traces"))
    assert {name: value for name, value in found.items() if name.startswith("OTEL")} == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.monitoring:4318",
        "OTEL_SERVICE_NAME": chart,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.1",
        "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=ocr,deployment=test%2C%20one",
    }
    assert wanted(found)
    check(found)


@CHART
@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://a:4318", 4318), ("https://otlp.example.com/api", 443), ("http://a", 80)],
)
def test_the_network_policy_lets_traces_out_to_the_collector_s_port(chart: str, endpoint: str, port: int) -> None:
    rendered = render(chart, merged(OPTIONS[chart]["traces"], {"tracing": {"endpoint": endpoint}}))
    rule = {
        "ports": [{"port": port, "protocol": "TCP"}],
        "to": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}],
    }
    assert rule in egress(rendered)
    assert {"port": 53, "protocol": "UDP"} in [one for rule in egress(rendered) for one in rule["ports"]]


@CHART
@pytest.mark.parametrize(
    "values", [{"endpoint": "collector:4318"}, {"ratio": 1.5}, {"sampler": "often"}, {"unknown": True}]
)
def test_wrong_values_are_refused(chart: str, values: dict[str, Any]) -> None:
    assert "tracing" in refusal(chart, {"tracing": values})


def test_a_worker_sends_traces_under_its_own_name() -> None:
    workers = tools.worker(
        render("api-gateway", merged(OPTIONS["api-gateway"]["workers"], OPTIONS["api-gateway"]["traces"]))
    )
    assert env(workers)["OTEL_SERVICE_NAME"] == "api-gateway-worker"
