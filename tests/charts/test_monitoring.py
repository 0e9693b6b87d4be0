"""Prometheus' values and rules, and Grafana's dashboard, against what the services really count."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from api_gateway.metrics import GatewayMetrics
from model_server.metrics import ModelServerMetrics as ModelMetrics
from scripts import bundle
from tests.charts import tools
from tests.needs import program

FIRST_ROW = [
    "sum(rate(kserve_inference_request_count[1m]))",
    "sum(rate(kserve_inference_request_error_count[1m]))",
    "histogram_quantile(0.95, sum(rate(kserve_inference_request_duration_seconds_bucket[5m])) by (le))",
    'rate(container_cpu_usage_seconds_total{pod=~"model-server.*"}[1m])',
    'container_memory_usage_bytes{pod=~"model-server.*"}',
]
OTHERS = {"up", "ALERTS", "container_cpu_usage_seconds_total", "container_memory_usage_bytes"}

DASHBOARD: dict[str, Any] = json.loads(Path("grafana/ocr-service.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load(Path("prometheus/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
PROMETHEUS: dict[str, Any] = yaml.safe_load(Path("prometheus/values.yaml").read_text())
GRAFANA: dict[str, Any] = yaml.safe_load(Path("grafana/values.yaml").read_text())


def queries() -> list[str]:
    shown = [target["expr"] for panel in PANELS for target in panel["targets"]]
    return shown + [entry["expr"] for entry in DASHBOARD["annotations"]["list"]]


@pytest.fixture(scope="module")
def counted() -> dict[str, set[str]]:
    """Every series that the services expose, each with the labels it bears."""
    found: dict[str, set[str]] = {}
    for metrics in (ModelMetrics, GatewayMetrics):
        registry = CollectorRegistry()
        metrics(registry)
        for family in registry.collect():
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_the_names_in_an_expression_are_found() -> None:
    assert tools.metric_names(FIRST_ROW[2]) == {"kserve_inference_request_duration_seconds_bucket"}
    assert tools.metric_names('sum by (a) (rate(x{b="c"}[5m])) / y > 0.05 and z offset 30m') == {"x", "y", "z"}
    assert tools.metric_names('count(ALERTS{a=~"b.+"}) or vector(0)') == {"ALERTS"}


def test_the_first_row_is_the_five_panels() -> None:
    assert [panel["targets"][0]["expr"] for panel in PANELS[:5]] == FIRST_ROW
    assert DASHBOARD["panels"][:5] == PANELS[:5]
    top = [panel for panel in DASHBOARD["panels"] if panel["gridPos"]["y"] == 0]
    assert top == PANELS[:5]
    assert sum(panel["gridPos"]["w"] for panel in top) == 24
    for panel in PANELS[3:5]:
        assert panel["targets"][0]["legendFormat"] == "{{pod}} {{container}} {{id}}"
        assert panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "none"


def test_every_series_asked_for_is_counted(counted: dict[str, set[str]]) -> None:
    for expression in [*queries(), *(rule["expr"] for rule in RULES)]:
        names = tools.metric_names(expression)
        assert names, expression
        assert names <= set(counted) | OTHERS, expression


def test_every_label_asked_for_is_there(counted: dict[str, set[str]]) -> None:
    given = {"pod", "namespace", "le", "alertname", "alertstate"}
    for expression in [*queries(), *(rule["expr"] for rule in RULES)]:
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression))
        labels |= {
            label.strip() for by in re.findall(r"\bby\s*\(([^)]*)\)", expression) for label in by.split(",")
        }
        offered = set().union(*(counted.get(name, set()) for name in tools.metric_names(expression)))
        assert labels <= offered | given, expression


def test_every_value_of_a_label_asked_for_can_occur() -> None:
    from api_gateway.errors import OUTCOMES as GATEWAY_OUTCOMES  # noqa: PLC0415
    from model_server.errors import OUTCOMES as MODEL_OUTCOMES  # noqa: PLC0415
    from model_server.metrics import RESTART_REASONS  # noqa: PLC0415

    possible = {
        "outcome": {*MODEL_OUTCOMES},
        "reason": {*RESTART_REASONS},
        "status": {str(status) for status, _ in GATEWAY_OUTCOMES},
    }
    for expression in [*queries(), *(rule["expr"] for rule in RULES)]:
        for label, operator, value in re.findall(r"(\w+)(=~|!=|=)\"([^\"]*)\"", expression):
            for each in value.split("|") if label in possible else ():
                match = [one for one in possible[label] if re.fullmatch(each, one)]
                assert match, f"{label}{operator}{each!r} matches nothing: {expression}"


def test_the_application_has_no_label_that_the_scrape_adds(counted: dict[str, set[str]]) -> None:
    assert not set().union(*counted.values()) & {"namespace", "pod", "node", "container", "job", "instance"}


def test_the_dashboard_is_fit_for_provisioning() -> None:
    assert "__inputs" not in DASHBOARD
    assert DASHBOARD["id"] is None
    assert DASHBOARD["uid"]
    assert 39 <= DASHBOARD["schemaVersion"] <= 42
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in PANELS:
        assert panel["type"] in {"timeseries", "stat"}
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        for target in (panel, *panel["targets"]):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken, panel["title"]
        assert grid["x"] + grid["w"] <= 24
        taken |= cells


def test_links_lead_to_headings_of_the_documentation() -> None:
    text = Path("docs/kubernetes.md").read_text()
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    links = [link["url"] for panel in PANELS for link in panel.get("links", [])]
    assert links
    for link in links:
        page, _, anchor = link.partition("#")
        assert page.endswith("docs/kubernetes.md")
        assert anchor in headings


def test_every_alert_is_documented() -> None:
    text = Path("docs/kubernetes.md").read_text()
    for rule in RULES:
        assert f"### {rule['alert']}\n" in text
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_every_alert_has_a_unit_test_that_fires_and_one_that_does_not() -> None:
    tests = yaml.safe_load(Path("prometheus/alerts-test.yaml").read_text())["tests"]
    expectations = [
        (each["alertname"], bool(each["exp_alerts"])) for test in tests for each in test["alert_rule_test"]
    ]
    for rule in RULES:
        assert (rule["alert"], True) in expectations
        assert (rule["alert"], False) in expectations


@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", "--lint=all", "--lint-fatal", "prometheus/alerts.yaml"),
        ("test", "rules", "prometheus/alerts-test.yaml"),
    ],
    ids=["check", "test"],
)
def test_promtool_accepts_the_rules(command: tuple[str, ...]) -> None:
    done = tools.run(program("promtool", "https://prometheus.io/download"), *command)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_unit_tests_notice_a_rule_that_never_fires(tmp_path: Path) -> None:
    promtool = program("promtool", "https://prometheus.io/download")
    (tmp_path / "alerts-test.yaml").write_text(Path("prometheus/alerts-test.yaml").read_text())
    text = Path("prometheus/alerts.yaml").read_text()
    for rule in RULES:
        broken = yaml.safe_load(text)
        for each in broken["groups"][0]["rules"]:
            if each["alert"] == rule["alert"]:
                each["expr"] = "vector(1) > 2"
        (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(broken))
        done = tools.run(promtool, "test", "rules", str(tmp_path / "alerts-test.yaml"))
        assert done.returncode != 0, rule["alert"]
        assert rule["alert"] in done.stdout + done.stderr


def test_the_values_ship_the_rules_and_the_dashboard() -> None:
    for target in bundle.targets():
        assert bundle.bundled(Path(), target) == Path(target).read_text(), "run python -m scripts.bundle"
    shipped = PROMETHEUS["serverFiles"]["alerting_rules.yml"]["groups"][0]["rules"]
    assert shipped == RULES
    assert json.loads(GRAFANA["dashboards"]["ocr"]["ocr-service"]["json"]) == DASHBOARD


def test_prometheus_scrapes_often_enough_and_grafana_knows() -> None:
    """Two samples in the narrowest window, 1m, even if one is lost."""
    interval = PROMETHEUS["server"]["global"]["scrape_interval"]
    assert interval == "15s"
    assert PROMETHEUS["server"]["global"]["evaluation_interval"] == interval
    (source,) = GRAFANA["datasources"]["datasources.yaml"]["datasources"]
    assert source["jsonData"]["timeInterval"] == interval
    assert source["uid"] == "prometheus"
    assert source["url"] == "http://prometheus-server.monitoring.svc.cluster.local:80"


def test_the_heavy_parts_are_off() -> None:
    for part in ("alertmanager", "kube-state-metrics", "prometheus-node-exporter", "prometheus-pushgateway"):
        assert PROMETHEUS[part]["enabled"] is False


def test_cadvisor_keeps_what_the_panels_ask_for() -> None:
    (rule,) = PROMETHEUS["scrapeConfigs"]["kubernetes-nodes-cadvisor"]["metric_relabel_configs"]
    for name in OTHERS - {"up", "ALERTS"}:
        assert re.fullmatch(rule["regex"], name)


def test_grafana_finds_its_dashboard() -> None:
    (provider,) = GRAFANA["dashboardProviders"]["dashboardproviders.yaml"]["providers"]
    folder = provider["options"]["path"]
    assert folder == f"/var/lib/grafana/dashboards/{provider['name']}"
    assert GRAFANA["grafana.ini"]["dashboards"]["default_home_dashboard_path"] == f"{folder}/ocr-service.json"
