"""The Prometheus operator takes the charts' monitors and rules, and an alert of theirs fires and clears.

E2E_OPERATOR_PROMETHEUS_URL is where the operator's Prometheus answers.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
import pytest

from tests.charts.tools import CHARTS
from tests.e2e.cluster import eventually, kubectl
from tests.e2e.release import Release

URL = os.environ.get("E2E_OPERATOR_PROMETHEUS_URL", "")
ALERT = "OcrModelServerGone"  # it waits three minutes

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not URL, reason="no Prometheus operator: E2E_OPERATOR_PROMETHEUS_URL is not set"),
]


def ask(path: str) -> Any:
    return httpx.get(f"{URL}/api/v1/{path}", trust_env=False, timeout=30).json()["data"]


def install(release: Release, monitor: str) -> None:
    metrics = {monitor: {"enabled": True, "interval": "5s"}}
    release.upgrade(
        model_server={"metrics": metrics},
        api_gateway={"metrics": {**metrics, "prometheusRule": {"enabled": True}}},
    )


def healthy(namespace: str) -> set[str]:
    """The services that are scraped."""
    return {
        name
        for target in ask("targets")["activeTargets"]
        for name in CHARTS
        if target["labels"].get("namespace") == namespace
        and target["labels"].get("pod", "").startswith(name)
        and target["health"] == "up"
    }


@pytest.mark.parametrize("monitor", ["podMonitor", "serviceMonitor"])
def test_both_services_are_scraped(release: Release, monitor: str) -> None:
    install(release, monitor)
    eventually(lambda: healthy(release.namespace) == set(CHARTS), "both services scraped", 240)


def test_an_alert_fires_and_clears(release: Release) -> None:
    install(release, "serviceMonitor")
    eventually(lambda: ALERT in rules(), ALERT, 240)
    eventually(lambda: "model-server" in healthy(release.namespace), "the model server scraped", 240)
    assert state(release.namespace) == ""
    scale(release.namespace, 0)
    eventually(lambda: state(release.namespace) == "firing", f"{ALERT} firing", 420, every=5)
    scale(release.namespace, 1)
    eventually(lambda: state(release.namespace) == "", f"{ALERT} over", 240, every=5)


def rules() -> set[str]:
    return {rule["name"] for group in ask("rules")["groups"] for rule in group["rules"]}


def scale(namespace: str, replicas: int) -> None:
    kubectl("-n", namespace, "scale", "deployment/model-server", f"--replicas={replicas}")


def state(namespace: str) -> str:
    states = [
        alert["state"]
        for alert in ask("alerts")["alerts"]
        if alert["labels"]["alertname"] == ALERT and alert["labels"].get("namespace") == namespace
    ]
    return states[0] if states else ""
