"""Charts as they are delivered: packaged, upgraded from the commit before, and rolled back, under load."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.charts.tools import CHARTS, Values, merged, need_helm
from tests.e2e.cluster import delete_namespace, kubectl, name_of, pods, run
from tests.e2e.load import Load
from tests.e2e.release import BASE, Release

pytestmark = pytest.mark.timeout(900)

LEAST_REQUESTS = 1000
ROLLED = "rolled-out"


def package(revision: str, folder: Path) -> dict[str, Path]:
    """The charts of a commit as archives."""
    archive = subprocess.run(["git", "archive", revision, "charts"], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as source:
        source.extractall(folder, filter="data")
    for chart in CHARTS.values():
        run(need_helm(4), "package", str(folder / chart), "--destination", str(folder))
    return {name: next(folder.glob(f"{name}-*.tgz")) for name in CHARTS}


@pytest.fixture(scope="module")
def before_and_now(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Path]]:
    return [package(revision, tmp_path_factory.mktemp("charts")) for revision in ("HEAD~1", "HEAD")]


@pytest.fixture
def delivered(namespace: str) -> Iterator[Release]:
    """A namespace in which nothing is installed yet."""
    delete_namespace(namespace)
    kubectl("create", "namespace", namespace)
    yield Release(namespace)
    delete_namespace(namespace)


def helm(release: Release, name: str, chart: Path, values: Values) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(merged(BASE[name], values), file)
        file.flush()
        command = (need_helm(4), "upgrade", "--install", name, str(chart), "-n", release.namespace)
        run(*command, "--values", file.name, "--wait", "--timeout", "5m")


def test_an_upgrade_and_a_rollback_lose_no_request(
    delivered: Release, before_and_now: list[dict[str, Path]], hello: bytes
) -> None:
    before, now = before_and_now
    for name in CHARTS:
        helm(delivered, name, before[name], {})
        delivered.wait(name)
    first = {name: {name_of(pod) for pod in pods(delivered.namespace, name)} for name in CHARTS}
    with Load(hello, clients=6, pause=0.05).running() as load:
        for name in CHARTS:
            helm(delivered, name, now[name], {"podAnnotations": {ROLLED: "yes"}})
            delivered.wait(name)
            assert not first[name] & {name_of(pod) for pod in pods(delivered.namespace, name)}
        for name in CHARTS:
            run(need_helm(4), "rollback", name, "1", "-n", delivered.namespace, "--wait", "--timeout", "5m")
            delivered.wait(name)
            (pod,) = pods(delivered.namespace, name)
            assert ROLLED not in pod["metadata"]["annotations"]
        while len(load.outcomes) < LEAST_REQUESTS:
            load.pause_until_next()
    assert load.bad() == []
    assert len(load.outcomes) >= LEAST_REQUESTS
