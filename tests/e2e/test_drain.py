"""Every pod is evicted, as `kubectl drain` does it, while documents are read."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.charts.tools import CHARTS
from tests.documents import make
from tests.e2e.cluster import GATEWAY_URL, eventually, kubectl, name_of, pods
from tests.e2e.load import Load
from tests.e2e.release import Release
from tests.pictures import render

pytestmark = pytest.mark.timeout(900)

TWO = {"replicaCount": 2}
PAGES = 120  # about a minute for three documents at once
DOCUMENTS = 3


@dataclass
class Client(threading.Thread):
    """Sends a document, and keeps what came back."""

    document: bytes
    status: int = 0
    retry_after: str | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        with (
            httpx.Client(base_url=GATEWAY_URL, trust_env=False, timeout=300) as client,
            client.stream(
                "POST",
                "/gateway/ocr",
                files={"image_file": self.document},
                params={"format": "ndjson", "dpi": "150"},
            ) as answer,
        ):
            self.status, self.retry_after = answer.status_code, answer.headers.get("retry-after")
            if self.status == 200:
                for line in answer.iter_lines():
                    self.lines.append(json.loads(line))

    def is_whole(self) -> bool:
        return bool(self.lines) and self.lines[-1].get("pages_ok") == PAGES


def evict(namespace: str, pod: str) -> bool:
    """Whether the API server agreed; 429 while the disruption budget does not allow it."""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    done = kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction), check=False)
    assert done.returncode == 0 or "disruption budget" in done.stderr, done.stderr
    return done.returncode == 0


def test_no_document_and_no_picture_is_lost(release: Release, hello: bytes) -> None:
    release.upgrade(model_server=TWO, api_gateway=TWO)
    pages = make.scanned(*[render.page(seed) for seed in range(1, 6)])
    document = make.joined(*[pages] * (PAGES // 5))
    clients = [Client(document) for _ in range(DOCUMENTS)]
    with Load(hello, clients=2).running() as load:
        for client in clients:
            client.start()
        eventually(lambda: all(client.lines for client in clients), "the first pages of all documents")
        for name in CHARTS:
            for pod in [name_of(pod) for pod in pods(release.namespace, name)]:
                eventually(lambda pod=pod: evict(release.namespace, pod), f"{pod} evicted", 240)  # type: ignore[misc]
            release.wait(name)
        for client in clients:
            client.join()
    assert load.bad() == []
    for client in clients:
        assert client.is_whole() or (client.status == 503 and client.retry_after), (
            client.status,
            client.lines[-1:],
        )
