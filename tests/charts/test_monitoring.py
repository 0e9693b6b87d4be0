"""Prometheus' values and rules, and Grafana's dashboard, against what the services really count."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from api_gateway.errors import OUTCOMES as GATEWAY_OUTCOMES
from api_gateway.errors import PAGE_OUTCOMES, PASSING
from api_gateway.jobs.counting import ATTEMPTS, ENDS, HOOK_OUTCOMES, JobMetrics
from api_gateway.metrics import GatewayMetrics
from model_server.errors import OUTCOMES as MODEL_OUTCOMES
from model_server.metrics import RESTART_REASONS
from model_server.metrics import ModelServerMetrics as ModelMetrics
from scripts import bundle, point_at_fork
from tests.charts import tools
from tests.charts.rules import ALERTS, GROUPS, RECORDS, RULES, raw
from tests.markdown_pages import anchors
from tests.needs import program

FIRST_ROW = [
    "sum(rate(kserve_inference_request_count[1m]))",
    "sum(rate(kserve_inference_request_error_count[1m]))",
    "histogram_quantile(0.95, sum(rate(kserve_inference_request_duration_seconds_bucket[5m])) by (le))",
    'rate(container_cpu_usage_seconds_total{pod=~"model-server.*"}[1m])',
    'container_memory_usage_bytes{pod=~"model-server.*"}',
]
OTHERS = {
    "up",
    "ALERTS",
    "container_cpu_cfs_periods_total",
    "container_cpu_cfs_throttled_periods_total",
    "container_cpu_usage_seconds_total",
    "container_memory_usage_bytes",
    "container_oom_events_total",
}
VARIABLES = ("datasource", "namespace", "release")

DASHBOARD: dict[str, Any] = json.loads(Path("grafana/ocr-service.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
PROMETHEUS: dict[str, Any] = yaml.safe_load(Path("prometheus/values.yaml").read_text())
GRAFANA: dict[str, Any] = yaml.safe_load(Path("grafana/values.yaml").read_text())


SHOWN: list[str] = [target["expr"] for panel in PANELS for target in panel["targets"]] + [
    entry["expr"] for entry in DASHBOARD["annotations"]["list"]
]
EXPRESSIONS: list[str] = [*SHOWN, *(rule["expr"] for rule in RULES)]


def _job_metrics(registry: CollectorRegistry) -> object:
    return JobMetrics(limit_bytes=1, reads=True, registry=registry)


@pytest.fixture(scope="module")
def counted() -> dict[str, set[str]]:
    """Every series that the services expose, each with the labels it bears."""
    found: dict[str, set[str]] = {}
    kinds: tuple[Callable[[CollectorRegistry], object], ...] = (ModelMetrics, GatewayMetrics, _job_metrics)
    for metrics in kinds:
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
    for expression in EXPRESSIONS:
        names = tools.metric_names(expression)
        assert names or expression.startswith("vector("), expression
        assert names <= set(counted) | OTHERS | set(RECORDS), expression


def test_every_label_asked_for_is_there(counted: dict[str, set[str]]) -> None:
    given = {"pod", "namespace", "release", "le", "alertname", "alertstate"}
    for expression in EXPRESSIONS:
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression))
        labels |= {
            label.strip() for by in re.findall(r"\bby\s*\(([^)]*)\)", expression) for label in by.split(",")
        }
        offered = set().union(*(counted.get(name, set()) for name in tools.metric_names(expression)))
        assert labels <= offered | given, expression


def test_every_value_of_a_label_asked_for_can_occur() -> None:
    possible: dict[tuple[str, str], AbstractSet[str]] = {
        ("ocr_requests_total", "outcome"): {*MODEL_OUTCOMES},
        ("gateway_requests_total", "outcome"): {code for _, code in GATEWAY_OUTCOMES},
        ("gateway_requests_total", "status"): {"200", *(str(status) for status, _ in GATEWAY_OUTCOMES)},
        ("gateway_document_pages_total", "outcome"): PAGE_OUTCOMES,
        ("gateway_jobs_attempts_total", "outcome"): {*ATTEMPTS},
        ("gateway_jobs_ended_total", "state"): {*ENDS},
        ("gateway_jobs_webhook_tries_total", "outcome"): {*HOOK_OUTCOMES},
        ("ocr_worker_restarts_total", "reason"): {*RESTART_REASONS},
    }
    for expression in EXPRESSIONS:
        for name, selector in re.findall(r"(\w+)\{([^}]*)\}", expression):
            for label, operator, value in re.findall(r"(\w+)(=~|!~|!=|=)\"([^\"]*)\"", selector):
                for each in value.split("|") if (name, label) in possible else ():
                    match = [one for one in possible[name, label] if re.fullmatch(each, one)]
                    assert match, f"{label}{operator}{each!r} matches nothing: {expression}"


def test_the_pages_that_count_as_lost_are_those_that_fail_through_no_fault_of_the_document() -> None:
    """Everywhere the same: in the objective, in its alert, and on the dashboard."""
    listed = [
        set(value.split("|")) - {"ocr", "embedded", "mixed"}
        for expression in EXPRESSIONS
        for value in re.findall(r"gateway_document_pages_total\{[^}]*outcome=~\"([^\"]*)\"", expression)
    ]
    assert len(listed) >= 5
    assert all(codes == PASSING for codes in listed)


def test_two_releases_do_not_hide_each_other() -> None:
    """Every aggregation of a rule keeps the namespace and the release."""
    for rule in RULES:
        bare = re.sub(r"scalar\(max\(\w+:objective\)\)", "", rule["expr"])
        kept = re.findall(r"\b(?:sum|count|min|max|avg)\b(?: by \(([^)]*)\))?", bare)
        assert kept or rule["expr"].startswith("vector("), rule
        for labels in kept:
            assert {"namespace", "release"} <= {label.strip() for label in labels.split(",")}, rule["expr"]


def test_both_objectives_are_watched_in_the_same_way() -> None:
    written = {rule["alert"]: rule["expr"] for rule in ALERTS}
    for one, other in (("OcrErrors", "OcrSlow"), ("OcrErrorBudget", "OcrTimeBudget")):
        answers = written[one].replace("ocr_answers_lost:", "ocr_calls_slow:")
        assert answers.replace("ocr_answers:", "ocr_calls:") == written[other]


def test_an_expression_without_recorded_series_asks_for_what_they_record() -> None:
    for rule in ALERTS:
        names = tools.metric_names(re.sub(r"\[\w+:15s\]", "", raw(rule["expr"])))
        assert names, rule["alert"]
        assert not names & set(RECORDS)
    assert raw("increase(ocr_calls:total[5m])").endswith(")[5m:15s])")


def test_the_application_has_no_label_that_the_scrape_adds(counted: dict[str, set[str]]) -> None:
    assert not set().union(*counted.values()) & {"namespace", "pod", "node", "container", "job", "instance"}


def test_the_dashboard_is_fit_for_provisioning() -> None:
    assert "__inputs" not in DASHBOARD
    assert DASHBOARD["id"] is None
    assert DASHBOARD["uid"]
    assert 39 <= DASHBOARD["schemaVersion"] <= 42
    variables = DASHBOARD["templating"]["list"]
    assert tuple(variable["name"] for variable in variables) == VARIABLES
    assert [variable["type"] for variable in variables] == ["datasource", "query", "query"]
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in PANELS:
        assert panel["type"] in {"timeseries", "stat"}
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        for target in (panel, *panel["targets"]):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_every_query_below_the_first_row_is_of_the_chosen_namespace_and_release() -> None:
    for expression in SHOWN[5:]:
        bare = re.sub(r"(\w+)\{[^}]*\}", "", expression)
        assert not tools.metric_names(bare), f"a series without a selector: {expression}"
        for name, selector in re.findall(r"(\w+)\{([^}]*)\}", expression):
            wanted = (
                ('namespace=~"$namespace|"', 'release=~"$release|"')  # some alerts are of no release
                if name == "ALERTS"
                else ('namespace=~"$namespace"', 'pod=~"$release(-worker)?-[^-]+-[^-]+"')
                if name.startswith("gateway_jobs_")  # workers of a release are Deployments beside it
                else ('namespace=~"$namespace"', 'pod=~"$release-[^-]+-[^-]+"')
            )
            assert all(part in selector for part in wanted), expression


def test_the_releases_to_choose_from_are_those_of_the_pods() -> None:
    _, namespace, release = DASHBOARD["templating"]["list"]
    assert set(re.findall(r"kserve_\w+|gateway_\w+", namespace["definition"])) <= {
        *tools.metric_names(FIRST_ROW[0]),
        "gateway_in_flight",
    }
    assert 'namespace=~"$namespace"' in release["definition"]
    found = re.fullmatch(release["regex"].strip("/^$"), "ocr-model-server-7d9b6c5f4d-x2k4q")
    assert found
    assert found[1] == "ocr-model-server"
    for variable in (namespace, release):
        assert variable["query"]["query"] == variable["definition"]
        assert variable["allValue"] == ".+"


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
    (repository,) = yaml.safe_load(point_at_fork.PROJECT.read_text())["spec"]["sourceRepos"]
    links = [link["url"] for panel in (*PANELS, DASHBOARD) for link in panel.get("links", [])]
    links += [rule["annotations"]["runbook_url"] for rule in ALERTS]
    assert len(links) > len(ALERTS)
    for link in links:
        page, _, anchor = link.partition("#")
        root, _, path = page.partition("/blob/HEAD/")
        assert root == point_at_fork.page(repository)
        assert not anchor or anchor in anchors(Path(path).resolve()), link


def test_every_alert_has_a_runbook() -> None:
    text = Path("docs/operations.md").read_text()
    for rule in ALERTS:
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"].endswith(f"/docs/operations.md#{rule['alert'].lower()}")
        _, found, rest = text.partition(f"\n### {rule['alert']}\n")
        assert found, rule["alert"]
        section = re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]
        for part in ("**Meaning.**", "**First command.**", "**Causes and remedies.**"):
            assert part in section, f"{rule['alert']}: {part}"
    assert set(re.findall(r"^### (Ocr\w+)$", text, re.MULTILINE)) == {rule["alert"] for rule in ALERTS}


def test_the_table_of_alerts_is_that_of_the_rules() -> None:
    text = Path("docs/kubernetes.md").read_text()
    rows = re.findall(r"^\| \[(Ocr\w+)\]\(operations\.md#(\w+)\) \| (\w+) \|", text, re.MULTILINE)
    assert rows == [(rule["alert"], rule["alert"].lower(), rule["labels"]["severity"]) for rule in ALERTS]
    assert {severity for _, _, severity in rows} == {"warning", "critical"}


def test_the_objectives_are_those_of_the_documentation() -> None:
    text = Path("docs/operations.md").read_text()
    for name in ("ocr_answers:objective", "ocr_calls:objective"):
        share = re.fullmatch(r"vector\((0\.\d+)\)", RECORDS[name])
        assert share
        assert re.search(rf"^\| .*\| {float(share[1]):.4g} \| `{name}` \|", text, re.MULTILINE), name


def test_every_alert_has_a_unit_test_that_fires_and_one_that_does_not() -> None:
    tests = yaml.safe_load(Path("prometheus/alerts-test.yaml").read_text())["tests"]
    expectations = [
        (each["alertname"], bool(each["exp_alerts"])) for test in tests for each in test["alert_rule_test"]
    ]
    for rule in ALERTS:
        assert (rule["alert"], True) in expectations
        assert (rule["alert"], False) in expectations


@pytest.mark.timeout(400)  # a minute of CPU time
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


# What keeps an alert quiet, and an expression in its place that always holds.
FLOORS = re.compile(r">=? (?:3|10|20|50|100|3000)\b")
THRESHOLDS = re.compile(r"> (?:14\.4|6|3) \*|> (?:0\.05|0\.5|0\.85|5|900|3600)\b|> 0\.1 \+ 2 \*|< 0\.85 \*")
HELD = {"> 0.1 + 2 *": ">= 0 *", "> 14.4 *": ">= 0 *", "> 6 *": ">= 0 *", "> 3 *": ">= 0 *", "< 0.85 *": "< 99 *"}


@pytest.mark.slow
@pytest.mark.parametrize("alert", [rule["alert"] for rule in ALERTS])
def test_the_unit_tests_notice_a_rule_that_never_fires_and_one_without_floor_or_threshold(
    tmp_path: Path, alert: str
) -> None:
    promtool = program("promtool", "https://prometheus.io/download")
    tests = yaml.safe_load(Path("prometheus/alerts-test.yaml").read_text())
    for each in tests["tests"]:
        each["alert_rule_test"] = [one for one in each["alert_rule_test"] if one["alertname"] == alert]
    tests["tests"] = [each for each in tests["tests"] if each["alert_rule_test"]]
    (tmp_path / "alerts-test.yaml").write_text(yaml.safe_dump(tests))
    (rule,) = [rule for rule in ALERTS if rule["alert"] == alert]
    expression = rule["expr"]
    broken = ["vector(1) > 2"]
    for guard in (FLOORS, THRESHOLDS):
        broken += [
            expression[: found.start()] + HELD.get(found[0], ">= 0") + expression[found.end() :]
            for found in guard.finditer(expression)
        ]
    for each in broken:
        groups = [GROUPS[0], {**GROUPS[1], "rules": [{**rule, "expr": each}]}]
        (tmp_path / "alerts.yaml").write_text(yaml.safe_dump({"groups": groups}))
        done = tools.run(promtool, "test", "rules", str(tmp_path / "alerts-test.yaml"))
        assert done.returncode != 0, each
        assert alert in done.stdout + done.stderr


def test_the_values_ship_the_rules_and_the_dashboard() -> None:
    for target in bundle.targets():
        assert bundle.bundled(Path(), target) == Path(target).read_text(), "run python -m scripts.bundle"
    assert PROMETHEUS["serverFiles"]["alerting_rules.yml"]["groups"] == GROUPS
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
