"""The autoscaler follows the load, and the load follows the pods."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.e2e.cluster import eventually, objects
from tests.e2e.load import Load
from tests.e2e.release import Release

pytestmark = pytest.mark.timeout(900)

SERIES = "kserve_inference_request_count"


def test_pods_come_with_the_load_share_it_and_go(release: Release, page_png: bytes) -> None:
    scaling = {
        "enabled": True,
        "minReplicas": 1,
        "maxReplicas": 3,
        "targetCPUPercent": 60,
        "scaleDownStabilizationSeconds": 10,
    }
    release.upgrade(model_server={"autoscaling": scaling})

    def wanted() -> int:
        (scaler,) = objects(release.namespace, "hpa", "model-server")
        return int(scaler["status"].get("desiredReplicas", 0))

    eventually(lambda: wanted() == 1, "the autoscaler to have figures")
    with Load(page_png, clients=4, pause=0).running() as load:
        eventually(lambda: len(release.ready_pods("model-server")) == 3, "three pods", seconds=240)
        time.sleep(8)
        names = release.ready_pods("model-server")
        before = {name: release.counters(name, 8080)[SERIES] for name in names}
        time.sleep(30)
        shares = [release.counters(name, 8080)[SERIES] - before[name] for name in names]
    assert load.bad() == []
    assert sum(shares) > 20, shares
    assert max(shares) / statistics.mean(shares) < 1.5, shares
    eventually(lambda: wanted() == 1, "one pod wanted again", seconds=300)
    eventually(lambda: len(release.ready_pods("model-server")) == 1, "one pod again")
