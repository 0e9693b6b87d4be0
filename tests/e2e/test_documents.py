"""One document over three model servers, and when one of them goes in its middle."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.documents import make
from tests.e2e.cluster import GATEWAY_URL
from tests.e2e.release import Release
from tests.pictures import render

pytestmark = pytest.mark.timeout(600)

SERIES = "kserve_inference_request_count"
PAGES = 60


@pytest.fixture(scope="module")
def three(release: Release) -> Release:
    release.upgrade(model_server={"replicaCount": 3})
    return release


@pytest.fixture(scope="module")
def document() -> bytes:
    pages = make.scanned(*[render.page(seed) for seed in range(1, 6)])
    return make.joined(*[pages] * (PAGES // 5))


def lines(document: bytes) -> Iterator[dict[str, Any]]:
    """A page each, then the totals."""
    with (
        httpx.Client(base_url=GATEWAY_URL, trust_env=False, timeout=120) as client,
        client.stream(
            "POST", "/gateway/ocr", files={"image_file": document}, params={"format": "ndjson", "dpi": "150"}
        ) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        yield from map(json.loads, answer.iter_lines())


def check(found: list[dict[str, Any]]) -> None:
    *pages, totals = found
    assert [(page["page"], page["status"]) for page in pages] == [(number, "ok") for number in range(1, PAGES + 1)]
    assert all(page["text"].split() for page in pages)
    assert (totals["status"], totals["pages_ok"], totals["page_count"]) == ("complete", PAGES, PAGES)


def test_its_pages_are_shared_by_all(three: Release, document: bytes) -> None:
    names = three.ready_pods("model-server")
    assert len(names) == 3
    before = {name: three.counters(name, 8080).get(SERIES, 0) for name in names}
    check(list(lines(document)))
    shares = [three.counters(name, 8080)[SERIES] - before[name] for name in names]
    assert sum(shares) >= PAGES
    even = statistics.mean(shares)
    assert even / 5 < min(shares) <= max(shares) < 2 * even, shares


@pytest.mark.parametrize("options", [(), ("--now",)], ids=["deleted", "killed"])
def test_a_pod_goes_in_its_middle(three: Release, document: bytes, options: tuple[str, ...]) -> None:
    three.wait("model-server")
    found = []
    for line in lines(document):
        found.append(line)
        if len(found) == 5:
            three.delete_pod("model-server", *options)
    check(found)
