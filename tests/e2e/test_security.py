"""The restricted Pod Security Standard, enforced by the cluster, and `helm test` under it."""

from __future__ import annotations

import pytest

from tests.charts.tools import CHARTS
from tests.e2e.cluster import IMAGE_TAG, kubectl, objects, upload
from tests.e2e.release import Release

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("name", CHARTS)
def test_helm_test_reads_a_picture(release: Release, name: str) -> None:
    assert "read 'HELLO 2026', as expected" in release.test(name)


def test_the_namespace_refuses_a_pod_that_asks_for_more(release: Release) -> None:
    done = kubectl("-n", release.namespace, "run", "greedy", f"--image=api-gateway:{IMAGE_TAG}", check=False)
    assert done.returncode != 0
    assert 'violates PodSecurity "restricted' in done.stderr


@pytest.mark.parametrize("name", CHARTS)
def test_the_container_is_shut_in(release: Release, name: str) -> None:
    """Not root, no capability, nothing writable but /tmp, no token."""
    pod, *_ = release.ready_pods(name)
    code = """
import os, pathlib
print(os.getuid(), os.getgid())
shown = ('CapEff', 'NoNewPrivs', 'Seccomp:')
print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith(shown)])
for folder in ('/', '/app', '/usr/local', '/tmp'):
    try:
        pathlib.Path(folder, 'x').write_text('x'); print(folder, 'written')
    except OSError as error:
        print(folder, error.strerror)
print(pathlib.Path('/var/run/secrets/kubernetes.io').exists())
"""
    assert release.execute(pod, code).splitlines() == [
        "10001 10001",
        "0000000000000000 1 2",
        "/ Read-only file system",
        "/app Read-only file system",
        "/usr/local Read-only file system",
        "/tmp written",
        "False",
    ]


def test_api_keys_are_asked_for_and_helm_test_shows_one(release: Release, hello: bytes) -> None:
    key = "a-key-for-this-test"
    release.upgrade(api_gateway={"apiKeys": {"values": [key]}})
    try:
        assert upload(hello).status_code == 401
        assert upload(hello, headers={"Authorization": f"Bearer {key}"}).status_code == 200
        assert "as expected" in release.test("api-gateway")
    finally:
        release.upgrade()
    assert upload(hello).status_code == 200
    assert not [secret for secret in objects(release.namespace, "secret") if secret["type"] == "Opaque"]


def test_the_workers_follow_the_cpu_limit(release: Release) -> None:
    pod, *_ = release.ready_pods("model-server")
    assert release.counters(pod, 8080)["ocr_workers_configured"] == 1
    release.upgrade(model_server={"resources": {"limits": {"cpu": "1500m", "memory": "1800Mi"}}})
    pod, *_ = release.ready_pods("model-server")
    assert release.counters(pod, 8080)["ocr_workers_configured"] == 2
    release.upgrade()
