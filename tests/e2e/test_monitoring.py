"""Every panel's query and every alert's expression, by the real Prometheus, with and without faults."""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.cluster import IMAGE_TAG, Prometheus, eventually, kubectl
from tests.e2e.load import Load
from tests.e2e.release import Release

pytestmark = pytest.mark.timeout(900)

RULES: dict[str, str] = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load(Path("prometheus/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}
PANELS = [
    panel for panel in json.loads(Path("grafana/ocr-service.json").read_text())["panels"] if "targets" in panel
]

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


@pytest.fixture
def firing(prometheus: Prometheus) -> Callable[..., bool]:
    def look(*alerts: str) -> bool:
        return all(prometheus.query(RULES[alert]) for alert in alerts)

    return look


@pytest.fixture(scope="module")
def busy(release: Release, hello: bytes, prometheus: Prometheus) -> None:
    """Enough load for every window, and no more: the faults that follow must not drown in it."""
    with Load(hello, clients=2, pause=0.5).running():
        filled = (
            "sum(rate(kserve_inference_request_count[1m])) > 0.5 and sum(rate(gateway_requests_total[1m])) > 0.5"
        )
        eventually(lambda: prometheus.query(filled), "the load in Prometheus", seconds=180)
        threading.Event().wait(45)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_each_panel_shows_something_under_load(busy: None, prometheus: Prometheus, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        values = prometheus.values(target["expr"].replace("$__rate_interval", "1m"))
        assert values, target["expr"]
        assert not any(math.isnan(value) for value in values), target["expr"]


@pytest.mark.parametrize(
    ("name", "port", "series"),
    [("model-server", 8080, "kserve_inference_request_count"), ("api-gateway", 8001, "gateway_requests_total")],
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
    """Pods of an earlier run that was ill on purpose are left out: Prometheus remembers them for a while."""
    present = {"", *release.ready_pods("model-server"), *release.ready_pods("api-gateway")}
    assert [one for one in prometheus.query(RULES[alert]) if one["metric"].get("pod", "") in present] == []


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
            lambda: firing("OcrSlow", "OcrQueueRefuses"), "OcrSlow and OcrQueueRefuses", seconds=300, every=3
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
