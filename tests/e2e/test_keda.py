"""KEDA takes the model server to zero, and a request brings it back."""

from __future__ import annotations

import time

import pytest

from tests import needs
from tests.e2e.cluster import eventually, kubectl, objects, upload
from tests.e2e.load import Load
from tests.e2e.release import SLOW, Release

pytestmark = pytest.mark.timeout(900)

BUDGET_SECONDS = 120
PROMETHEUS = "http://prometheus.monitoring.svc:9090"


@pytest.fixture(scope="module")
def scaled(release: Release) -> Release:
    operator = ("-n", "keda", "get", "deployment", "keda-operator", "--ignore-not-found", "-o", "name")
    if not kubectl(*operator).stdout:
        needs.missing("KEDA is not installed (in namespace keda)")
    keda = {
        "enabled": True,
        "maxReplicas": 2,
        "pagesPerPod": 2,
        "pollingSeconds": 2,
        "cooldownSeconds": 10,
        "prometheusAddress": PROMETHEUS,
        "gatewayMetricsUrl": f"http://api-gateway.{release.namespace}.svc:8002/metrics",
    }
    release.upgrade(
        model_server={**SLOW, "keda": keda},
        api_gateway={
            "config": {"requestTimeoutSeconds": BUDGET_SECONDS, "waitForModelSeconds": BUDGET_SECONDS - 20}
        },
    )
    return release


def replicas(release: Release) -> int:
    (deployment,) = objects(release.namespace, "deployment", "model-server")
    return int(deployment["spec"]["replicas"])


def test_from_zero_to_two_and_back(scaled: Release, hello: bytes, page_png: bytes) -> None:
    eventually(lambda: replicas(scaled) == 0, "no model server", 180)
    began = time.monotonic()
    first = upload(hello, seconds=BUDGET_SECONDS + 10)
    assert (first.status_code, first.json()["text"].split()) == (200, ["HELLO", "2026"])
    assert time.monotonic() - began < BUDGET_SECONDS
    with Load(page_png, clients=8, pause=0).running() as load:
        eventually(lambda: len(scaled.ready_pods("model-server")) == 2, "two model servers", 240)
    assert load.bad() == []
    eventually(lambda: replicas(scaled) == 0, "no model server again", 400)
