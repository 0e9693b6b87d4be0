"""Every panel's query and every alert's expression, by the real Prometheus, with and without faults."""

from __future__ import annotations

import contextlib
import json
import math
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.charts.rules import ALERTS, raw
from tests.e2e.cluster import IMAGE_TAG, Prometheus, eventually, kubectl
from tests.e2e.load import Load
from tests.e2e.release import Release

pytestmark = pytest.mark.timeout(900)

# Prometheus need not have the rules: what they record is asked for in its place.
RULES: dict[str, str] = {rule["alert"]: raw(rule["expr"]) for rule in ALERTS}
_ALL = [
    panel for panel in json.loads(Path("grafana/ocr-service.json").read_text())["panels"] if "targets" in panel
]
JOB_PANELS = [panel for panel in _ALL if "gateway_jobs_" in panel["targets"][0]["expr"]]  # need jobs
PANELS = [panel for panel in _ALL if panel not in JOB_PANELS]

# Worker processes are the children of process 1.
KILL_WORKERS = """
import os, signal, time
until = time.time() + {seconds}
while time.time() < until:
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            parent = open(f'/proc/{{name}}/stat').read().rpartition(')')[2].split()[1]
            if parent == '1' and b'worker' in open(f'/proc/{{name}}/cmdline', 'rb').read():
                os.kill(int(name), signal.SIGSEGV)
        except OSError:
            pass
    time.sleep({pause})
"""


@pytest.fixture(scope="module")
def namespace() -> str:
    """One that Prometheus has not seen yet: the alerts look back as far as a day."""
    return f"ocr-e2e-{uuid.uuid4().hex[:6]}"


def fired(prometheus: Prometheus, release: Release, alert: str) -> list[dict[str, Any]]:
    """Where the alert's expression holds now, in the namespace of the release or in no namespace."""
    found = prometheus.query(RULES[alert])
    return [one for one in found if one["metric"].get("namespace", release.namespace) == release.namespace]


@pytest.fixture
def firing(prometheus: Prometheus, release: Release) -> Callable[..., bool]:
    def look(*alerts: str) -> bool:
        return all(fired(prometheus, release, alert) for alert in alerts)

    return look


def as_grafana_asks(expression: str, release: Release) -> str:
    """The query with the dashboard's variables filled in: both releases of one namespace are chosen."""
    values = {
        "$__rate_interval": "1m",
        "$namespace": release.namespace,
        "$release": "(model-server|api-gateway)",
    }
    for variable, value in values.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression


@pytest.fixture(scope="module")
def busy(release: Release, hello: bytes, prometheus: Prometheus) -> None:
    """Enough load for every window, and no more: the faults that follow must not drown in it."""
    with Load(hello, clients=2, pause=0.5).running():
        filled = (
            f'sum(rate(kserve_inference_request_count{{namespace="{release.namespace}"}}[1m])) > 0.5 '
            f'and sum(rate(gateway_requests_total{{namespace="{release.namespace}"}}[1m])) > 0.5'
        )
        eventually(lambda: prometheus.query(filled), "the load in Prometheus", seconds=180)
        threading.Event().wait(45)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_each_panel_shows_something_under_load(
    busy: None, release: Release, prometheus: Prometheus, panel: dict[str, Any]
) -> None:
    for target in panel["targets"]:
        values = prometheus.values(as_grafana_asks(target["expr"], release))
        assert values, target["expr"]
        assert not any(math.isnan(value) for value in values), target["expr"]


@pytest.mark.parametrize(
    ("name", "port", "series"),
    [("model-server", 8080, "kserve_inference_request_count"), ("api-gateway", 8002, "gateway_requests_total")],
)
def test_prometheus_has_what_the_pods_count(
    busy: None, release: Release, prometheus: Prometheus, name: str, port: int, series: str
) -> None:
    """Each pod is scraped once, and nothing is counted twice."""

    def same() -> bool:
        for pod in release.ready_pods(name):
            counted = sum(
                value for key, value in release.counters(pod, port).items() if key.partition("{")[0] == series
            )
            if counted == 0 or prometheus.values(f'sum({series}{{pod="{pod}"}})') != [counted]:
                return False
        return True

    eventually(same, f"{series} as the pods have it")


def test_series_bear_the_pods_name_and_their_own_namespace(
    busy: None, release: Release, prometheus: Prometheus
) -> None:
    series = prometheus.query("kserve_inference_request_count")
    assert {one["metric"]["pod"] for one in series} >= set(release.ready_pods("model-server"))
    assert all("exported_pod" not in one["metric"] for one in series)


@pytest.mark.parametrize("alert", RULES)
def test_no_alert_fires_when_all_is_well(busy: None, release: Release, prometheus: Prometheus, alert: str) -> None:
    assert fired(prometheus, release, alert) == []


def test_crashing_workers_raise_the_alarm(release: Release, heavy_png: bytes, firing: Callable[..., bool]) -> None:
    with Load(heavy_png, clients=3, pause=0).running():
        with killing(release, pause=2.5):
            eventually(lambda: firing("OcrWorkersRestart", "OcrPagesFail"), "the alerts", seconds=300)
        with killing(release, pause=0.1):
            eventually(lambda: firing("OcrWorkersMissing"), "OcrWorkersMissing", seconds=120, every=0.5)
    eventually(lambda: not firing("OcrWorkersMissing"), "the workers back")


@contextlib.contextmanager
def killing(release: Release, pause: float) -> Iterator[None]:
    """A hand that kills every worker of a pod, again and again."""
    pod, *_ = release.ready_pods("model-server")
    stop = threading.Event()

    def kill() -> None:
        while not stop.is_set():
            release.execute(pod, KILL_WORKERS.format(seconds=10, pause=pause))

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        stop.set()
        killer.join()


def test_overload_raises_the_alarm(release: Release, heavy_png: bytes, firing: Callable[..., bool]) -> None:
    with Load(heavy_png, clients=48, pause=0.5).running():
        eventually(
            lambda: firing("OcrSlow", "OcrQueueWait", "OcrQueueRefuses"), "the alerts", seconds=300, every=3
        )


def test_a_pod_that_does_not_answer_raises_the_alarm(release: Release, firing: Callable[..., bool]) -> None:
    (manifest,) = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "model-server-mute",
                "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
            },
            "spec": {
                "containers": [
                    {
                        "name": "mute",
                        "image": f"api-gateway:{IMAGE_TAG}",
                        "imagePullPolicy": "Never",
                        "command": ["python", "-c", "import time; time.sleep(600)"],
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "runAsNonRoot": True,
                            "runAsUser": 10001,
                            "capabilities": {"drop": ["ALL"]},
                            "seccompProfile": {"type": "RuntimeDefault"},
                        },
                    }
                ]
            },
        }
    ]
    kubectl("-n", release.namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    try:
        eventually(lambda: firing("OcrPodNotReady"), "OcrPodNotReady")
    finally:
        kubectl("-n", release.namespace, "delete", "pod", "model-server-mute", "--grace-period=1")
    eventually(lambda: not firing("OcrPodNotReady"), "the alert over")


def test_no_model_server_and_no_gateway_raise_the_alarm(
    release: Release, hello: bytes, firing: Callable[..., bool]
) -> None:
    with Load(hello, clients=8, pause=0.1).running() as load:
        release.scale("model-server", 0)
        eventually(lambda: firing("OcrModelServerGone", "OcrErrors"), "the alerts", seconds=240)
    assert load.bad(honest_503=True) == []
    assert load.statuses()[503]
    release.scale("api-gateway", 0)
    eventually(lambda: firing("OcrGatewayGone"), "OcrGatewayGone", seconds=120)
    release.upgrade()
    eventually(lambda: not firing("OcrGatewayGone") and not firing("OcrModelServerGone"), "both counted again")
