"""Jobs of one page compared with requests for the same pictures: each store, one gateway that is the worker."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from bench import stats, subjects
from bench.run import check_against_drawn
from bench.subjects import BrokenRun
from bench.workloads import workload
from tests.jobs.postgres import is_installed, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.run import Run

_KIND = "page"
_STORES = ("sqlite", "postgres")
_PAIRS, _SHORT_PAIRS = 40, 8
_MANY = 40
_CLIENTS = 8
_PATIENCE = 120.0
_LOOK_SECONDS, _LOOK_AT_MANY_SECONDS = 0.005, 0.5


def measure(run: Run) -> dict[str, Any]:
    if not is_installed():
        raise BrokenRun("the figure jobs needs PostgreSQL (Debian: postgresql)")
    rounds = 1 if run.options.short else run.options.rounds
    run.steps("Jobs", 2 * len(_STORES) * rounds)
    return {"stores": {store: _store(run, store, rounds) for store in _STORES}, "pages": _MANY}


def _store(run: Run, store: str, rounds: int) -> dict[str, Any]:
    pairs: list[tuple[float, float]] = []
    requests: list[float] = []
    jobs: list[float] = []
    with _service(store) as client, ThreadPoolExecutor(_CLIENTS) as pool:
        for warm in (_requests, _jobs):
            warm(client, pool)
        for _ in range(rounds):
            with run.step(f"one page, {store}"):
                pairs += _pairs(client, _SHORT_PAIRS if run.options.short else _PAIRS)
            with run.step(f"{_MANY} pages, {store}"):
                requests.append(_MANY / _requests(client, pool))
                jobs.append(_MANY / _jobs(client, pool))
    return {
        "request_ms": 1e3 * statistics.median(request for request, _ in pairs),
        "job_ms": 1e3 * statistics.median(job for _, job in pairs),
        "added_ms": 1e3 * statistics.median(job - request for request, job in pairs),
        "requests_per_second": stats.summary(requests),
        "jobs_per_second": stats.summary(jobs),
        "ratio": stats.summary(stats.ratios(jobs, requests)),
    }


@contextlib.contextmanager
def _service(store: str) -> Iterator[httpx.Client]:
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        if store == "sqlite":
            settings = {"JOBS_DIR": str(folder / "jobs")}
        else:
            settings = {"JOBS_DATABASE_URL": opened.enter_context(postgres_server(durable=True)).create()}
        model, gateway = opened.enter_context(subjects.services_to_start(folder, "tesseract", settings))
        model.start().wait_ready()
        subjects.wait_for_workers(model)
        gateway.start().wait_ready()
        yield opened.enter_context(
            httpx.Client(
                base_url=gateway.url,
                timeout=_PATIENCE,
                trust_env=False,
                limits=httpx.Limits(max_connections=_CLIENTS),
            )
        )


def _pairs(client: httpx.Client, count: int) -> list[tuple[float, float]]:
    """Seconds of the request and of the job for one picture, on an idle service, alternately the first."""
    found = []
    for number in range(count):
        if number % 2:
            job = _job(client, number)
            found.append((_request(client, number), job))
        else:
            request = _request(client, number)
            found.append((request, _job(client, number)))
    return found


def _request(client: httpx.Client, number: int) -> float:
    began = time.perf_counter()
    answer = client.post("/gateway/ocr", files=_file(number))
    seconds = time.perf_counter() - began
    _check(answer, number)
    return seconds


def _job(client: httpx.Client, number: int) -> float:
    """Until the client has seen that the job has ended."""
    began = time.perf_counter()
    job = _handed_in(client, number)
    while not _is_complete(client.get(f"/gateway/jobs/{job}").json()):
        time.sleep(_LOOK_SECONDS)
    seconds = time.perf_counter() - began
    _check(client.get(f"/gateway/jobs/{job}/result"), number)
    return seconds


def _requests(client: httpx.Client, pool: ThreadPoolExecutor) -> float:
    """Seconds for all pages."""
    began = time.perf_counter()
    list(pool.map(lambda number: _request(client, number), range(_MANY)))
    return time.perf_counter() - began


def _jobs(client: httpx.Client, pool: ThreadPoolExecutor) -> float:
    """Until the last one has ended, as the store's clock says: it is this machine's."""
    began = time.time()
    handed = list(pool.map(lambda number: _handed_in(client, number), range(_MANY)))
    ends: list[datetime] = []
    while len(ends) < len(handed):
        time.sleep(_LOOK_AT_MANY_SECONDS)  # seldom, because it takes time from the pages
        found = client.get("/gateway/jobs", params={"limit": str(_MANY)}).json()["jobs"]
        ends = [datetime.fromisoformat(job["finished"]) for job in found if _is_complete(job)]
        if time.time() - began > _PATIENCE:
            raise BrokenRun(f"{len(handed) - len(ends)} of {_MANY} jobs have not ended")
    seconds = max(ends).timestamp() - began
    for number, job in enumerate(handed):
        _check(client.get(f"/gateway/jobs/{job}/result"), number)
    return seconds


def _handed_in(client: httpx.Client, number: int) -> str:
    answer = client.post("/gateway/jobs", files=_file(number))
    if answer.status_code != httpx.codes.ACCEPTED:
        raise BrokenRun(f"a job: {answer.status_code}: {answer.text[:300]}")
    return str(answer.json()["id"])


def _is_complete(job: dict[str, Any]) -> bool:
    if job["status"] not in ("queued", "running", "complete"):
        raise BrokenRun(f"a job: {job}")
    return bool(job["status"] == "complete")


def _file(number: int) -> dict[str, bytes]:
    return {"image_file": _image(number).file}


def _image(number: int) -> Any:
    images = workload(_KIND).images
    return images[number % len(images)]


def _check(answer: httpx.Response, number: int) -> None:
    if answer.status_code != httpx.codes.OK:
        raise BrokenRun(f"a page: {answer.status_code}: {answer.text[:300]}")
    check_against_drawn(_image(number).text, answer.json()["text"], "jobs")
