"""The gateway behind an Ingress and a route of the Gateway API: large uploads, long answers, clients that leave.

E2E_ROUTES_URL is where a controller listens that serves both; E2E_PARENT_GATEWAY is the `namespace/name` of its
Gateway.
"""

from __future__ import annotations

import io
import json
import os
import random
import threading
import time
from collections.abc import Generator
from typing import Any

import httpx
import pikepdf
import pytest

from tests.documents import make
from tests.e2e.cluster import eventually
from tests.e2e.release import SLOW, Release
from tests.pictures import render

URL = os.environ.get("E2E_ROUTES_URL", "")
PARENT = os.environ.get("E2E_PARENT_GATEWAY", "gateway/local")
HOSTS = {"Ingress": "ocr-ingress.local", "HTTPRoute": "ocr-route.local"}
LARGE_BYTES = 30 << 20
LONG_SECONDS = 300
LONG_PAGES = 450
LONGEST_GAP_SECONDS = 60
METRICS_PORT = 8002

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not URL, reason="no controller for Ingress and Gateway API: E2E_ROUTES_URL is not set"),
]


@pytest.fixture(scope="module")
def routed(release: Release) -> Release:
    namespace, _, name = PARENT.partition("/")
    release.upgrade(
        model_server=SLOW,
        api_gateway={
            "ingress": {"enabled": True, "className": "traefik", "hosts": [HOSTS["Ingress"]]},
            "httpRoute": {
                "enabled": True,
                "parentRefs": [{"name": name, "namespace": namespace}],
                "hostnames": [HOSTS["HTTPRoute"]],
            },
        },
    )
    for host in HOSTS.values():
        with client(host) as through:
            eventually(lambda through=through: through.get("/gateway/languages").status_code == 200, host)  # type: ignore[misc]
    return release


def client(host: str, seconds: float = 120) -> httpx.Client:
    return httpx.Client(base_url=URL, headers={"Host": host}, trust_env=False, timeout=seconds)


def lines(host: str, document: bytes, seconds: float = 120) -> Generator[dict[str, Any]]:
    """The lines of the answer, each as soon as it is there."""
    files, parameters = {"image_file": document}, {"format": "ndjson"}
    with (
        client(host, seconds) as through,
        through.stream("POST", "/gateway/ocr", files=files, params=parameters) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        yield from map(json.loads, answer.iter_lines())


@pytest.fixture(scope="module")
def long_document() -> bytes:
    pages = make.scanned(*[render.a4(seed, 200) for seed in range(1, 4)])
    return make.joined(*[pages] * (LONG_PAGES // 3))


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_an_upload_of_30_mib_arrives(routed: Release, host: str) -> None:
    with pikepdf.open(io.BytesIO(make.scanned(render.page(1)))) as document:
        document.attachments["noise"] = random.Random(1).randbytes(LARGE_BYTES)
        file = io.BytesIO()
        document.save(file)
    *pages, totals = lines(host, file.getvalue())
    assert (len(pages), totals["status"]) == (1, "complete")
    assert pages[0]["text"].split()


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_metrics_and_probes_are_not_published(routed: Release, host: str) -> None:
    with client(host) as through:
        for path in ("/metrics", "/health/ready", "/health/live"):
            answer = through.get(path)
            assert (answer.status_code, "gateway_requests_total" in answer.text) == (404, False)


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_work_stops_when_the_client_has_gone(routed: Release, host: str, long_document: bytes) -> None:
    (pod,) = routed.ready_pods("api-gateway")
    answer = lines(host, long_document)
    assert next(answer)["status"] == "ok"
    answer.close()
    gone = time.monotonic()
    eventually(
        lambda: routed.counters(pod, METRICS_PORT)["gateway_documents_in_flight"] == 0,
        "the document let go",
        every=0.1,
    )
    assert time.monotonic() - gone < 2


def test_an_answer_of_five_minutes_comes_through_line_by_line(routed: Release, long_document: bytes) -> None:
    """Through both at once, each with more pages than can be read in that time."""
    arrived: dict[str, list[float]] = {host: [] for host in HOSTS.values()}
    began = time.monotonic()

    def read(host: str) -> None:
        answer = lines(host, long_document, seconds=LONGEST_GAP_SECONDS)
        for line in answer:
            assert line["status"] == "ok", line
            arrived[host].append(time.monotonic() - began)
            if arrived[host][-1] > LONG_SECONDS:
                break
        answer.close()

    threads = [threading.Thread(target=read, args=(host,)) for host in arrived]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for host, times in arrived.items():
        assert times, host
        assert times[0] < LONGEST_GAP_SECONDS, "the answer was held back"
        assert times[-1] > LONG_SECONDS, "the answer was cut off"
