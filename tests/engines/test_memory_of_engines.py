"""A worker's memory does not grow with its pages, and the neural engine has a bounded share of it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import psutil
import pytest

from tests.conftest import Launch, png
from tests.pictures import render

PAGES = 100
MOST_FOR_NEURAL = 450  # MiB
MOST_GROWTH = 1.1  # of the second half
MIB = 1 << 20


def pages() -> Iterator[bytes]:
    """The largest first, then random sizes and shapes."""
    kinds = [render.label(1), render.page(1), render.receipt(1), render.a4(1, 100)]
    rng = Random(16)
    sizes = [(kind, 1.5, 1.4) for kind in kinds]
    sizes += [(rng.choice(kinds), rng.uniform(0.3, 1.5), rng.uniform(0.7, 1.4)) for _ in range(PAGES)]
    for kind, scale, stretch in sizes:
        width, height = (round(scale * side) for side in kind.image.size)
        yield png(render.Picture(kind.image.resize((width, round(stretch * height))), "", 0))


def resident_mib(launch: Launch, engine: str) -> list[float]:
    """Of the only worker, after each page."""
    settings = {"WORKERS": "1", "ENGINE": engine, "NEURAL": str(engine != "tesseract"), "MEMORY_MIB": "2048"}
    with launch(settings) as pair, httpx.Client(base_url=pair.model.url, timeout=60, trust_env=False) as client:
        (worker,) = psutil.Process(pair.model.pid).children()
        found = []
        for page in pages():
            call = {"instances": [{"image": {"b64": base64.b64encode(page).decode()}}]}
            assert client.post("/v1/models/ocr-model:predict", json=call).status_code == 200
            found.append(worker.memory_info().rss / MIB)
        return found


def faults(process: psutil.Process) -> int:
    """Pages of memory that the system has cleared for a process."""
    return int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[7])


@pytest.mark.parametrize("engine", ["tesseract", "auto"])
def test_a_page_uses_the_memory_of_the_page_before(launch: Launch, engine: str) -> None:
    """Else a twentieth of the time of a large page would be spent on clearing memory."""
    call = {"instances": [{"image": {"b64": base64.b64encode(png(render.a4(1, 200))).decode()}}]}
    with launch({"WORKERS": "1", "ENGINE": engine}) as pair, httpx.Client(timeout=60, trust_env=False) as client:
        (worker,) = psutil.Process(pair.model.pid).children()
        cleared = []
        for _ in range(4):
            before = faults(worker)
            answer = client.post(f"{pair.model.url}/v1/models/ocr-model:predict", json=call)
            assert answer.status_code == 200
            cleared.append(faults(worker) - before)
    assert cleared[-1] < 2_000, cleared  # 13,000 if each large block is a mapping of its own


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_pages_of_all_sizes(launch: Launch) -> None:
    tesseract = resident_mib(launch, "tesseract")
    for engine in ("auto", "neural"):
        found = resident_mib(launch, engine)
        assert max(found) < max(tesseract) + MOST_FOR_NEURAL
        assert max(found) < MOST_GROWTH * max(found[: PAGES // 2])
