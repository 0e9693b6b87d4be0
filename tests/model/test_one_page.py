"""A page that is alone is read by all workers: the same words, with every core."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from scripts.services import Service
from tests.conftest import Launch, png
from tests.faults.pair import by_label, metrics, until
from tests.pictures import render

SHEET = png(render.a4(1, 200))
ENGINES = ["tesseract", "auto", "neural"]
_READY_SECONDS = 20
_SHARE = 0.2  # of a page's processor time: each of two workers takes at least this much


@pytest.fixture(scope="module")
def one_worker(launch: Launch) -> Iterator[Service]:
    with launch({"WORKERS": "1"}) as pair:
        yield pair.model


@pytest.fixture(scope="module")
def two_workers(launch: Launch) -> Iterator[Service]:
    with launch({"WORKERS": "2"}) as pair:
        until(lambda: metrics(pair.model)["ocr_workers_alive"] == 2, "both workers", _READY_SECONDS)
        yield pair.model


def read(server: Service, engine: str) -> dict[str, Any]:
    instance = {"image": {"b64": base64.b64encode(SHEET).decode()}, "parameters": {"engine": engine}}
    with httpx.Client(timeout=60, trust_env=False) as client:
        answer = client.post(f"{server.url}/v1/models/ocr-model:predict", json={"instances": [instance]})
    assert answer.status_code == 200, answer.text
    (page,) = answer.json()["predictions"]
    return dict(page)


def workers(server: Service) -> list[psutil.Process]:
    return psutil.Process(server.pid).children()


def cpu_seconds(server: Service) -> list[float]:
    return [sum(worker.cpu_times()[:2]) for worker in workers(server)]


def pages_read(server: Service) -> int:
    return by_label(metrics(server), "ocr_pages_read_total", "engine").total()


def pages_begun(server: Service) -> float:
    return metrics(server)["ocr_queue_wait_seconds_count"]


@pytest.mark.parametrize("engine", ENGINES)
def test_both_workers_read_a_lone_page_as_one_would(
    one_worker: Service, two_workers: Service, engine: str
) -> None:
    alone = read(one_worker, engine)
    before = cpu_seconds(two_workers)
    together = read(two_workers, engine)
    used = [after - start for after, start in zip(cpu_seconds(two_workers), before, strict=True)]
    assert together["text"] == alone["text"]
    assert [word["text"] for word in together["words"]] == [word["text"] for word in alone["words"]]
    if engine == "neural":
        assert [word["bbox"] for word in together["words"]] == [word["bbox"] for word in alone["words"]]
    assert len(together["words"]) > 300
    assert min(used) > _SHARE * sum(used), used


def test_lines_of_a_clean_page_count_as_not_read_again(one_worker: Service) -> None:
    """Else the share of lines read again would be that of the other pages alone."""
    page = read(one_worker, "auto")
    numbers = {(word["block"], word["paragraph"], word["line"]) for word in page["words"]}
    assert (page["lines"], page["lines_read_again"]) == (len(numbers), 0)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("engine", ["tesseract", "neural"])
def test_pages_that_come_soon_after_each_other_are_each_read_once(two_workers: Service, engine: str) -> None:
    """The first counts on a helper that is busy when it is asked."""
    alone, before, begun = read(two_workers, engine), pages_read(two_workers), pages_begun(two_workers)
    with ThreadPoolExecutor(3) as pool:
        reading = [pool.submit(read, two_workers, engine)]
        until(lambda: pages_begun(two_workers) == begun + 1, "the first is begun", _READY_SECONDS)
        reading += [pool.submit(read, two_workers, engine) for _ in range(2)]
        found = [page.result() for page in reading]
    assert [page["text"] for page in found] == [alone["text"]] * 3
    assert pages_read(two_workers) - before == 3


def test_no_thread_of_a_worker_is_tied_to_some_of_its_cores(two_workers: Service) -> None:
    """OpenVINO would tie each worker to the first core while it reads: two would be no faster than one."""
    found: set[tuple[int, ...]] = set()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, two_workers, "neural")
        while not wait({reading}, timeout=0.005).done:
            for worker in workers(two_workers):
                found |= cores_of_threads(worker.pid)
    assert found == {tuple(sorted(os.sched_getaffinity(two_workers.pid)))}


def cores_of_threads(pid: int) -> set[tuple[int, ...]]:
    found = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            found.add(tuple(sorted(os.sched_getaffinity(int(thread.name)))))
    return found
