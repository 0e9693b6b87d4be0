"""Jobs on a cluster: none is lost, and no page is read twice but those in flight, whichever pod is killed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.documents import make
from tests.e2e.cluster import GATEWAY_URL, Prometheus, eventually, kubectl, name_of, pods
from tests.e2e.database import SECRET, Database, HandMadeVolume, kill_pod
from tests.e2e.release import Release, Values
from tests.e2e.test_monitoring import JOB_PANELS
from tests.pictures import render

pytestmark = pytest.mark.timeout(900)

PAGES = 60
PART = 15  # pages between two faults
LEASE_SECONDS = 3
SMALL: Values = {"requests": {"cpu": "20m", "memory": "96Mi"}}
WITH_POSTGRESQL: Values = {
    "replicaCount": 2,
    "resources": SMALL,
    "config": {"jobsLeaseSeconds": LEASE_SECONDS},
    "jobs": {
        "enabled": True,
        "database": {"existingSecret": SECRET},
        "worker": {"enabled": True, "replicas": 2},
    },
}


@pytest.fixture(scope="module")
def document() -> bytes:
    pages = make.scanned(*[render.page(seed) for seed in range(1, 6)])
    return make.joined(*[pages] * (PAGES // 5))


@pytest.fixture(scope="module")
def database(release: Release) -> Iterator[Database]:
    found = Database(release.namespace)
    try:
        release.upgrade(model_server={"replicaCount": 2, "resources": SMALL}, api_gateway=WITH_POSTGRESQL)
        release.wait("api-gateway-worker")
        yield found
    finally:
        release.apply("api-gateway", {})
        found.kill()
        found.volume.remove()


class Client:
    """A client that repeats what no gateway answers, as clients of jobs do."""

    def __init__(self) -> None:
        self._http = httpx.Client(base_url=GATEWAY_URL, trust_env=False, timeout=30)

    def submit(self, document: bytes, key: str) -> str:
        answer = self._repeated(
            "POST", "/gateway/jobs?dpi=150", files={"image_file": document}, headers={"Idempotency-Key": key}
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def status(self, job: str) -> dict[str, Any]:
        answer = self._repeated("GET", f"/gateway/jobs/{job}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def at_page(self, job: str, number: int) -> dict[str, Any]:
        def there() -> dict[str, Any]:
            found = self.status(job)
            ended = found["status"] not in {"queued", "running"}
            assert not ended or number == PAGES, f"too early for the next fault: {found}"
            return found if found["pages_done"] >= number else {}

        return eventually(there, f"{number} pages", every=0.1)

    def end(self, job: str) -> dict[str, Any]:
        def over() -> dict[str, Any]:
            found = self.status(job)
            return found if found["status"] not in {"queued", "running"} else {}

        return eventually(over, "the end of the job", seconds=240, every=0.5)

    def pages(self, job: str) -> list[dict[str, Any]]:
        answer = self._repeated("GET", f"/gateway/jobs/{job}/result?format=ndjson")
        assert answer.status_code == 200, answer.text
        *pages, totals = map(json.loads, answer.text.splitlines())
        assert totals["pages_ok"] == PAGES
        return pages

    def _repeated(self, method: str, path: str, **more: Any) -> httpx.Response:
        def answered() -> httpx.Response | None:
            with contextlib.suppress(httpx.TransportError):
                answer = self._http.request(method, path, **more)
                return answer if answer.status_code not in {502, 503} else None
            return None

        found = eventually(answered, f"an answer to {method} {path}", every=0.2)
        assert found is not None
        return found


@pytest.fixture
def client() -> Client:
    return Client()


def check(client: Client, job: str) -> None:
    """Each page is there once, in order and read."""
    found = client.pages(job)
    assert [page["page"] for page in found] == list(range(1, PAGES + 1))
    assert all(page["status"] == "ok" and page["text"].split() for page in found)


def worker_of(release: Release) -> str:
    """The worker that reads: its claim is in the database."""
    (pod, *_) = pods(release.namespace, "jobs-postgres")
    query = "SELECT owner FROM jobs WHERE state = 'running'"
    owner = kubectl(
        "-n", release.namespace, "exec", name_of(pod), "--", "psql", "-h", "/tmp", "-U", "ocr", "-Atc", query,
        "postgres",
    ).stdout.strip()  # fmt: skip
    assert owner
    found = [name for name in release.ready_pods("api-gateway-worker") if name in owner]
    assert len(found) == 1, f"no worker pod is {owner}"
    return found[0]


def test_a_job_ends_whichever_pods_are_killed(
    release: Release, database: Database, client: Client, document: bytes
) -> None:
    job = client.submit(document, "killed")
    assert client.submit(document, "killed") == job
    client.at_page(job, 3)
    for pod in release.ready_pods("api-gateway")[:1]:
        kill_pod(release.namespace, pod)
    client.at_page(job, PART)
    kill_pod(release.namespace, worker_of(release))
    client.at_page(job, 2 * PART)
    kill_pod(release.namespace, release.ready_pods("model-server")[0])
    client.at_page(job, 3 * PART)
    database.kill()
    ended = client.end(job)
    assert (ended["status"], ended["pages_done"], ended["pages_failed"]) == ("complete", PAGES, 0)
    assert ended["attempts"] == 0, "each claim stored pages, so that none counts against the document"
    check(client, job)
    release.wait("api-gateway-worker")


def test_an_update_of_the_workers_counts_no_attempt(
    release: Release, database: Database, client: Client, document: bytes
) -> None:
    job = client.submit(document, "updated")
    client.at_page(job, 5)
    release.restart("api-gateway-worker")
    release.wait("api-gateway-worker")
    ended = client.end(job)
    assert (ended["status"], ended["attempts"]) == ("complete", 0)
    check(client, job)
    for pod in release.ready_pods("api-gateway-worker"):
        assert release.counters(pod, 8002)['gateway_jobs_attempts_total{outcome="lost"}'] == 0


@pytest.mark.parametrize("panel", JOB_PANELS, ids=lambda panel: str(panel["title"]))
def test_each_panel_of_jobs_has_series(
    database: Database, release: Release, prometheus: Prometheus, panel: dict[str, Any]
) -> None:
    for target in panel["targets"]:
        expression = target["expr"].replace("$__rate_interval", "1m").replace("$namespace", release.namespace)
        asked = expression.replace("$release", "api-gateway")
        eventually(lambda asked=asked: prometheus.query(asked), asked)  # type: ignore[misc]


def test_jobs_in_sqlite_outlive_their_pod(release: Release, client: Client, document: bytes) -> None:
    """A folder of the node; the pod is killed while it reads."""
    volume = HandMadeVolume(release.namespace, "jobs-sqlite")
    try:
        release.upgrade(
            api_gateway={
                "resources": SMALL,
                "config": {"jobsLeaseSeconds": LEASE_SECONDS},
                "jobs": {"enabled": True, "sqlite": {"existingClaim": volume.claim, "size": "1Gi"}},
            }
        )
        job = client.submit(document, "sqlite")
        before = client.at_page(job, PART)
        (pod,) = release.ready_pods("api-gateway")
        kill_pod(release.namespace, pod)
        eventually(lambda: pod not in release.ready_pods("api-gateway"), "the pod gone")
        release.wait("api-gateway")
        assert client.status(job)["pages_done"] >= before["pages_done"]
        ended = client.end(job)
        assert (ended["status"], ended["attempts"]) == ("complete", 0)
        check(client, job)
    finally:
        release.upgrade()
        volume.remove()
