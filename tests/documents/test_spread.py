"""One document with a growing number of model servers, and of pages."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import png
from tests.documents import make
from tests.documents.conftest import Front, Gateway
from tests.documents.stand_in import ModelServer
from tests.pictures import render

SECONDS = 0.4  # a stand-in's time per page
MIB = 1 << 20


def pages_per_second(gateway: Gateway, document: bytes, count: int) -> float:
    began = time.monotonic()
    response = gateway.post("/gateway/ocr", files={"image_file": ("x", document)}, params={"dpi": "100"})
    assert response.json()["status"] == "complete", response.text[:500]
    return count / (time.monotonic() - began)


@pytest.mark.slow
@pytest.mark.alone
def test_the_pages_of_one_document_are_spread_over_all_servers(front: Front) -> None:
    """Relative to linear scaling: a server that is never idle reads 1 / SECONDS pages per second."""
    found = {}
    for count in (1, 2, 4, 8):
        servers = [ModelServer(SECONDS) for _ in range(count)]
        with front(*servers) as gateway:
            pages_per_second(gateway, make.digital(*["x"] * 2), 2)
            document = make.scanned(*[render.label(seed) for seed in range(10)] * (3 * count))
            found[count] = pages_per_second(gateway, document, 30 * count) * SECONDS / count
        shares = [len(server.calls) for server in servers]
        assert max(shares) / (sum(shares) / count) < 1.2, shares
    assert min(found.values()) >= 0.9, found


def peak_mib(gateway: Gateway, document: bytes, form: str) -> float:
    """Memory of the gateway, without its child, while it reads the document."""
    process = psutil.Process(gateway.service.pid)
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    with gateway.stream(
        "POST", "/gateway/ocr", files={"image_file": ("x", document)}, params={"dpi": "150", "format": form}
    ) as response:
        assert response.status_code == 200, response.read()
        assert sum(map(len, response.iter_bytes())) > 1000
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no peak")


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("form", ["ndjson", "json"])
def test_the_memory_does_not_grow_with_the_pages(front: Front, form: str) -> None:
    page = render.a4(1, 150)
    ten = make.scanned(*[page] * 10)
    many = make.joined(*[ten] * 50)
    with front(ModelServer(0.002, words=300)) as gateway:
        peak_mib(gateway, ten, form)
        small = peak_mib(gateway, ten, form)
        large = peak_mib(gateway, many, form)
        assert large - small < 50, (small, large)


@pytest.mark.slow
@pytest.mark.alone
def test_the_first_page_of_many_is_there_about_as_soon_as_a_single_one(front: Front) -> None:
    one = make.scanned(render.page(1))
    many = make.joined(*[one] * 300)
    with front(ModelServer(0.5)) as gateway:

        def first(document: bytes) -> float:
            began = time.monotonic()
            with gateway.stream(
                "POST", "/gateway/ocr", files={"image_file": ("x", document)}, params={"format": "ndjson"}
            ) as response:
                next(response.iter_lines())
                found = time.monotonic() - began
                response.close()
            return found

        began = time.monotonic()
        gateway.post("/gateway/ocr", files={"image_file": ("x", png(render.page(1)))})
        single = time.monotonic() - began
        assert min(first(many) for _ in range(3)) < 1.5 * single
