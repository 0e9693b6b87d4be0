"""Documents with many pages: throughput, time to the first page, scaling, and delay of single pictures."""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from bench import load, machine, stats, subjects
from bench.run import Measured, Run, check_against_drawn, interleave
from bench.subjects import BrokenRun
from bench.workloads import workload
from scripts import services
from tests.documents import make, stand_in
from tests.pictures import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pictures.render import Picture

_PATIENCE = 600.0
_PAGES, _SHORT_PAGES = 40, 12
_LONG_PAGES = 300
_SERVERS, _SHORT_SERVERS = (1, 2, 4, 8), (1, 2)
_STAND_IN_SECONDS = 0.4
_STAND_IN_PAGES = 30  # per stand-in
_PICTURES, _SHORT_PICTURES = 24, 4
_PICTURE_EVERY_SECONDS = 0.7


def measure(run: Run) -> dict[str, Any]:
    kind = "page" if run.options.short else "a4-200"
    return {
        "workload": kind,
        "throughput": _throughput(run, kind),
        "first_page": _first_page(run, kind),
        "spread": _spread(run),
        "pictures": _pictures(run, kind),
    }


def _throughput(run: Run, kind: str) -> dict[str, Any]:
    """Pages per second of one PDF of scanned pages, compared with bare engines on the same pages."""
    count = _SHORT_PAGES if run.options.short else _PAGES
    document, dpi = _scanned(kind, count)

    def whole() -> Measured:
        meter = machine.CpuMeter(run.stack().service.cpu_seconds)
        began = time.monotonic()
        with _client(run.stack().gateway.port) as client:
            answer = client.post("/gateway/ocr", files={"image_file": document}, params={"dpi": str(dpi)})
        wall = time.monotonic() - began
        _check(kind, answer, count)
        return run.measured(count, wall, meter.stop(), [wall])

    whole()  # unmeasured: warms every worker up, and the gateway learns the capacity
    turns = {"limit": lambda: run.limit(kind, count), "document": whole}
    measured = interleave(run, _rounds(run), turns, f"One document of {count} pages")
    limit, service = ([one.per_second for one in measured[name]] for name in ("limit", "document"))
    return {
        "pages": count,
        "dpi": dpi,
        "limit": stats.summary(limit),
        "document": stats.summary(service),
        "ratio": stats.summary(stats.ratios(service, limit)),
        "cpu_ms": {
            group: statistics.median(one.cpu_ms[group] for one in measured["document"])
            for group in measured["document"][0].cpu_ms
        },
    }


def _first_page(run: Run, kind: str) -> dict[str, Any]:
    """Seconds until the first line of NDJSON, compared with a picture of the same page.

    As many pictures as there are workers are sent at once: a document also keeps all workers busy, and a picture
    alone would be read by all of them.
    """
    document, dpi = _scanned(kind, _LONG_PAGES)
    picture = workload(kind).images[0].file
    rounds = 3 * _rounds(run)
    run.steps(f"The first of {_LONG_PAGES} pages", rounds)
    first: list[float] = []
    single: list[float] = []
    with _client(run.stack().gateway.port) as client, ThreadPoolExecutor(run.cores) as pool:
        for _ in range(rounds):
            with run.step("first page"):
                single += pool.map(_until_first_line, [client] * run.cores, [picture] * run.cores)
                first.append(_until_first_line(client, document, dpi))
                _until_idle(run)
    return {
        "pages": _LONG_PAGES,
        "first_ms": stats.summary([1e3 * one for one in first]),
        "single_ms": stats.summary([1e3 * one for one in single]),
        "ratio": statistics.median(first) / statistics.median(single),
    }


def _until_first_line(client: httpx.Client, upload: bytes, dpi: int = 300) -> float:
    began = time.monotonic()
    params = {"dpi": str(dpi), "format": "ndjson"}
    with client.stream("POST", "/gateway/ocr", files={"image_file": upload}, params=params) as answer:
        line = orjson.loads(next(answer.iter_lines()))
        seconds = time.monotonic() - began
    if line.get("status") != "ok":
        raise BrokenRun(f"the first page: {line}")
    return seconds


def _until_idle(run: Run) -> None:
    """Wait until the abandoned document is no longer processed and all workers are alive again."""
    stack = run.stack()
    end = time.monotonic() + _PATIENCE
    for service, metric in ((stack.gateway, "gateway_documents_in_flight"), (stack.model, "ocr_in_flight")):
        while subjects.scrape(service, metric) > 0:
            if time.monotonic() > end:
                raise BrokenRun("a document that nobody waits for is still being read")
            time.sleep(0.05)
    subjects.wait_for_workers(stack.model)


def _spread(run: Run) -> dict[str, Any]:
    """Pages per second of one document over stand-ins with a fixed time per page, compared with linear scaling."""
    counts = _SHORT_SERVERS if run.options.short else _SERVERS
    run.steps("One document over several model servers", len(counts))
    shares: dict[int, float] = {}
    for count in counts:
        servers = [stand_in.ModelServer(_STAND_IN_SECONDS) for _ in range(count)]
        with run.step(f"{count} stand-ins"), _gateway_before(servers) as client:
            pages = (_STAND_IN_PAGES // 3 if run.options.short else _STAND_IN_PAGES) * count
            document = make.scanned(*[render.label(seed) for seed in range(10)] * (pages // 10))
            _over_stand_ins(client, make.scanned(render.label(1), render.label(2)))  # unmeasured
            began = time.monotonic()
            _over_stand_ins(client, document)
            shares[count] = pages / (time.monotonic() - began) * _STAND_IN_SECONDS / count
    return {"seconds_a_page": _STAND_IN_SECONDS, "of_linear": shares, "least": min(shares.values())}


def _over_stand_ins(client: httpx.Client, document: bytes) -> None:
    answer = client.post("/gateway/ocr", files={"image_file": document}, params={"dpi": "100"})
    if answer.status_code != 200 or answer.json()["status"] != "complete":
        raise BrokenRun(f"a document over stand-ins: {answer.text[:300]}")


@contextlib.contextmanager
def _gateway_before(servers: list[stand_in.ModelServer]) -> Iterator[httpx.Client]:
    env = {"API_GATEWAY_SHUTDOWN_DELAY_SECONDS": "0"}
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        (Path(folder) / "log").open("wb") as log,
        stand_in.serving(*servers) as url,
        services.api_gateway(url, env, log) as gateway,
        _client(gateway.port) as client,
    ):
        yield client


def _pictures(run: Run, kind: str) -> dict[str, Any]:
    """Single pictures, sent at fixed times to an idle service and while it reads a document."""
    count = _SHORT_PICTURES if run.options.short else _PICTURES
    document, dpi = _scanned(kind, _LONG_PAGES)
    rounds = _rounds(run)
    run.steps("Pictures during a document", 2 * rounds)
    idle: list[float] = []
    during: list[float] = []
    for _ in range(rounds):
        with run.step("idle"):
            idle += _sent(run, count)
        with run.step("during a document"), _being_read(run, document, dpi):
            during += _sent(run, count)
        _until_idle(run)
    before, after = (stats.percentiles(found) for found in (idle, during))
    page = statistics.mean(run.reference(kind).seconds)
    return {
        "pictures": len(during),
        "page_ms": 1e3 * page,
        "idle_ms": {name: 1e3 * value for name, value in before.items()},
        "during_ms": {name: 1e3 * value for name, value in after.items()},
        "p95_added_pages": (after["p95"] - before["p95"]) / page,
    }


def _sent(run: Run, count: int) -> list[float]:
    service, work = run.stack().service, workload("page")
    target = load.Target(service.port, subjects.requests(service, work))
    due = [_PICTURE_EVERY_SECONDS * number for number in range(count)]
    result = load.run(load.Plan(target, work.picks(count), due=due, patience=_PATIENCE))
    run.check(service, "page", result.samples)
    return [sample.seconds for sample in result.samples]


@contextlib.contextmanager
def _being_read(run: Run, document: bytes, dpi: int) -> Iterator[None]:
    """Start a document, run the block after its second page, and check that the document outlasts the block."""
    begun, stop = threading.Event(), threading.Event()
    pages: list[dict[str, Any]] = []

    def read() -> None:
        params = {"dpi": str(dpi), "format": "ndjson"}
        with (
            _client(run.stack().gateway.port) as client,
            client.stream("POST", "/gateway/ocr", files={"image_file": document}, params=params) as answer,
        ):
            for line in answer.iter_lines():
                pages.append(orjson.loads(line))
                if len(pages) > 1:
                    begun.set()
                if stop.is_set():
                    break

    reader = threading.Thread(target=read)
    reader.start()
    try:
        if not begun.wait(_PATIENCE):
            raise BrokenRun("the document was not begun")
        yield
    finally:
        stop.set()
        reader.join()
    if any(page.get("status") != "ok" for page in pages):
        raise BrokenRun(f"the document did not last, or a page of it failed: {pages[-1]}")


def _scanned(kind: str, count: int) -> tuple[bytes, int]:
    """A PDF of `count` pages, and the dpi at which they have the pixels of the workload's pictures."""
    pictures = [_drawn(image.file, image.text) for image in workload(kind).images]
    pages = make.scanned(*pictures)
    whole, rest = divmod(count, len(pictures))
    if rest:
        raise ValueError(f"{count} pages are not whole turns of {len(pictures)} pictures")
    return make.joined(*[pages] * whole), pictures[0].dpi


def _drawn(file: bytes, text: str) -> Picture:
    from PIL import Image  # noqa: PLC0415 - only here

    image = Image.open(io.BytesIO(file))
    return render.Picture(image.convert("L"), text, round(image.info["dpi"][0]))


def _check(kind: str, answer: httpx.Response, count: int) -> None:
    if answer.status_code != 200 or len(pages := answer.json()["pages"]) != count:
        raise BrokenRun(f"a document of {count} pages: {answer.status_code}: {answer.text[:300]}")
    for page, pick in zip(pages, workload(kind).picks(count), strict=True):
        check_against_drawn(workload(kind).images[pick].text, page["text"], f"page {page['page']} of a document")


def _client(port: int) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=_PATIENCE, trust_env=False)


def _rounds(run: Run) -> int:
    return 1 if run.options.short else min(3, run.options.rounds)
