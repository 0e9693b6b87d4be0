"""A cluster, by KUBECONFIG, and both services on it. `make e2e` runs this; other runs leave it out.

What else is needed comes from the environment: docs/kubernetes.md lists it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.e2e import cluster
from tests.e2e.cluster import NAMESPACE, delete_namespace, kubectl
from tests.e2e.release import Release
from tests.pictures import render

collect_ignore_glob = [] if os.environ.get("E2E") else ["test_*.py"]
MOSTLY_WAIT = {
    "test_argo_cd",
    "test_argo_cd_docs",
    "test_jobs_cluster",
    "test_keda",
    "test_operator",
    "test_routes",
}


class TwoGroups(LoadScopeScheduling):  # type: ignore[misc]
    """Two groups for two processes: tests that mostly wait run beside those that load the machine."""

    def _split_scope(self, nodeid: str) -> str:
        return "waiting" if Path(nodeid.partition("::")[0]).stem in MOSTLY_WAIT else "working"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoGroups:
    return TwoGroups(config, log)


@pytest.fixture(scope="session", autouse=True)
def _reachable() -> None:
    done = kubectl("get", "--raw", "/readyz", check=False)
    assert done.returncode == 0, f"no cluster at KUBECONFIG={os.environ.get('KUBECONFIG')}: {done.stderr}"


@pytest.fixture(scope="module")
def namespace() -> str:
    return NAMESPACE


@pytest.fixture(scope="module")
def release(namespace: str) -> Iterator[Release]:
    """Both services, installed by Helm into a namespace that enforces the restricted standard."""
    delete_namespace(namespace)
    kubectl("create", "namespace", namespace)
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    installed = Release(namespace)
    try:
        installed.upgrade()
        yield installed
    finally:
        if os.environ.get("E2E_KEEP") is None:
            delete_namespace(namespace)


@pytest.fixture(scope="session")
def hello() -> bytes:
    return Path("charts/api-gateway/files/hello.png").read_bytes()


@pytest.fixture(scope="session")
def heavy_png(page: render.Picture) -> bytes:
    """Four pages on one: a second or so of work."""
    width, height = page.image.size
    four = page.image.resize((2 * width, 2 * height))
    for corner in ((0, 0), (width, 0), (0, height), (width, height)):
        four.paste(page.image, corner)
    file = io.BytesIO()
    four.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def prometheus() -> cluster.Prometheus:
    return cluster.Prometheus(os.environ.get("E2E_PROMETHEUS_URL", "http://127.0.0.1:9090"))
