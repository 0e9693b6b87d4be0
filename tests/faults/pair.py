"""A gateway and a model server with the misbehaving engine, and the check that both have recovered."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import psutil
from prometheus_client.parser import text_string_to_metric_families

from api_gateway.contracts.table import contract_of
from scripts.services import Service, answers, api_gateway, model_server
from tests.faults.wire import FORM, JSON, Answer, StandIn, exchange, multipart, upload_head
from tests.pictures import formats, render

PATIENCE_SECONDS = 3.0  # for what must recover at once: workers, descriptors, gauges
NEURAL_SECONDS = 9.0  # for workers with the neural engine: 1.1 s of processor time each, at a low priority
SOON = 0.02  # seconds between polls
GATEWAY_PATH = "/gateway/ocr"
PREVIEWS_PATH = "/gateway/previews"
MODEL_PATH = "/v1/models/ocr-model:predict"

png = formats.FORMATS["png grey"].encode
KNOWN = png(render.label(1))

# Small limits, so that the tests take less time.
MODEL = {
    "WORKERS": "2",
    "NEURAL": "false",
    "ENVIRONMENT": "test",
    "TEST_ENGINE": "tests.faults.engines:Faulty",
    "WORKER_RECYCLE_MIB": "250",
    "WORKER_KILL_MIB": "400",
    "MAX_IMAGE_MIB": "2",
    "MAX_QUEUE": "16",
    "HEADER_TIMEOUT_SECONDS": "1",
    "BODY_IDLE_TIMEOUT_SECONDS": "1",
    "SHUTDOWN_DELAY_SECONDS": "0",
}
GATEWAY = {
    "MAX_UPLOAD_MIB": "2",
    "MAX_DOCUMENT_MIB": "2",
    "HEADER_TIMEOUT_SECONDS": "1",
    "BODY_IDLE_TIMEOUT_SECONDS": "1",
    "CONNECT_TIMEOUT_SECONDS": "0.5",
    "SHUTDOWN_DELAY_SECONDS": "0",
}

Metrics = dict[str, float]


def crowding() -> float:
    """Load per processor, at least 1; 1 on a machine without other work, which the limits assume."""
    return min(10.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def little() -> float:
    """Seconds beyond a limit that the service did not cause."""
    return 0.6 * crowding()


def until(true: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait until the value is true; return it."""
    seconds *= crowding()
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(SOON)
    return found


def metrics(service: Service) -> Metrics:
    """All samples by name and labels."""
    answer = exchange(service.port, "GET", "/metrics")
    assert answer.status == 200
    text = answer.body.decode()
    return {
        f"{sample.name}{sorted(sample.labels.items()) or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def peak_mib(pid: int) -> float:
    """The process's peak resident memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def by_label(found: Metrics, name: str, label: str) -> Counter[str]:
    """The counts of a metric by one of its labels, without zeros."""
    counts: Counter[str] = Counter()
    for key, value in found.items():
        if key.startswith(f"{name}["):
            labels = dict(eval(key[len(name) :]))  # our own repr, above
            counts[labels[label]] += int(value)
    return +counts


class Watched:
    """One service with its log, its folder for temporary files, and what the client counted."""

    def __init__(self, service: Service, log: Path, temporary: Path) -> None:
        self.service = service
        self.counted: Counter[str] = Counter()  # outcomes, as the test's client saw them
        self._access_before = 0
        self._lines_before = 0
        self._log = log
        self._temporary = temporary
        self._lock = threading.Lock()
        self._before: dict[str, Any] = {}

    @property
    def port(self) -> int:
        return self.service.port

    @property
    def pid(self) -> int:
        return self.service.pid

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.pid)

    def count(self, outcome: str) -> None:
        """Count a request of the client with this outcome, even if the client did not see it."""
        with self._lock:
            self.counted[outcome] += 1

    def begin(self) -> None:
        """Begin a test: the client's counts are compared with the log lines from here on."""
        self.counted.clear()
        self._access_before = len(self.access())
        self._lines_before = len(self.log_lines())

    def log_text(self) -> str:
        return self._log.read_text()

    def log_lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self._log.read_bytes().split(b"\n") if line]

    def log_lines_of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log_lines() if line["event"] == event]

    def access(self, outcome: str | None = None) -> list[dict[str, Any]]:
        """The counted lines of the access log."""
        return [
            line
            for line in self.log_lines()
            if line["event"] == "request" and (outcome is None or line["outcome"] == outcome)
        ]

    def new_access(self) -> list[dict[str, Any]]:
        """The counted lines of this test."""
        return self.access()[self._access_before :]

    def check_log(self) -> None:
        traces = [line for line in self.log_lines()[self._lines_before :] if "exception" in line]
        assert not traces, "a traceback in the log"

    def resources(self) -> dict[str, Any]:
        process = self.process
        children = process.children(recursive=True)
        return {
            "file descriptors": process.num_fds(),
            "children": len(children),
            "temporary files": len(list(self._temporary.rglob("*"))),
        }

    def remember(self) -> None:
        """Remember the present resources; after each fault they must be the same."""
        self._before = {**self.resources(), "series": len(metrics(self.service))}

    def resources_back(self) -> bool:
        return self.resources() == {k: v for k, v in self._before.items() if k != "series"}

    def check_resources(self) -> None:
        try:
            until(self.resources_back, "resources as before")
        except AssertionError:
            raise AssertionError(f"{self.service.module}: {self.resources()}, before: {self._before}") from None

    def check_series(self, found: Metrics) -> None:
        assert len(found) == self._before["series"], f"{self.service.module}: the number of series changed"


class Pair:
    """Both services. Its methods send requests and count the outcomes."""

    def __init__(
        self,
        folder: Path,
        model: Mapping[str, str] | None = None,
        gateway: Mapping[str, str] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        upstream: StandIn | None = None,
    ) -> None:
        """`model` and `gateway` are settings without their prefix, in addition to those above."""
        self._folder = folder
        self._environment = environment or {}
        self._files: list[io.BufferedWriter] = []
        self._upstream = upstream
        settings = {**MODEL, **(model or {})}
        self._worker_seconds = NEURAL_SECONDS if settings["NEURAL"] == "true" else PATIENCE_SECONDS
        self.model = self._watched("model", model_server, "MODEL_SERVER_", settings)
        url = upstream.url if upstream else self.model.service.url
        make = partial(api_gateway, url)
        self.gateway = self._watched("gateway", make, "API_GATEWAY_", {**GATEWAY, **(gateway or {})})
        self.known_text = ""

    def _watched(
        self,
        name: str,
        make: Callable[[dict[str, str], io.BufferedWriter], Service],
        prefix: str,
        settings: Mapping[str, str],
    ) -> Watched:
        log, temporary = self._folder / f"{name}.log", self._folder / f"{name}-tmp"
        temporary.mkdir()
        self._files.append(log.open("wb"))
        env = {f"{prefix}{key}": value for key, value in settings.items()}
        env |= {f"{prefix}LOG_FORMAT": "json", "TMPDIR": str(temporary), **self._environment}
        return Watched(make(env, self._files[-1]), log, temporary)

    @property
    def services(self) -> tuple[Watched, ...]:
        return (self.gateway,) if self._upstream else (self.model, self.gateway)

    @contextlib.contextmanager
    def running(self) -> Iterator[Pair]:
        """Start and warm up the services, remember their resources, and stop them at the end."""
        try:
            for watched in self.services:
                watched.service.start()
            for watched in self.services:
                watched.service.wait_ready()
            if not self._upstream:
                self.wait_workers()
            for _ in range(2):
                self.known_text = self.read(KNOWN).text
            for watched in self.services:
                _wait_steady(watched)
                watched.remember()
            yield self
        finally:
            for watched in reversed(self.services):
                if watched.service.started:
                    watched.service.stop()
            for file in self._files:
                file.close()

    def begin(self) -> Pair:
        self.wait_idle()  # an aborted request is logged when all its work has ended
        for watched in self.services:
            watched.begin()
        return self

    @contextlib.contextmanager
    def alone(self) -> Iterator[Pair]:
        """Start only the gateway, with or without a model server."""
        try:
            self.gateway.service.start()
            until(lambda: answers(f"{self.gateway.service.url}/health/live"), "alive", 30)
            self.gateway.remember()
            yield self
        finally:
            self.gateway.service.stop()
            for file in self._files:
                file.close()

    def read(self, picture: bytes, query: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """Read a picture through the gateway."""
        return self.post(
            self.gateway, GATEWAY_PATH + query, multipart(picture), {"content-type": FORM, **(headers or {})}
        )

    @staticmethod
    def upload(picture: bytes) -> tuple[bytes, bytes]:
        """Head and body of a request to the gateway."""
        body = multipart(picture)
        return upload_head(len(body)), body

    def predict(
        self,
        *pictures: bytes,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Send a picture directly to the model server, over V1."""
        instances = [
            {"image": {"b64": base64.b64encode(data).decode()}, "parameters": parameters or {}}
            for data in pictures
        ]
        return self.post(
            self.model, MODEL_PATH, orjson.dumps({"instances": instances}), {**JSON, **(headers or {})}
        )

    def post(self, watched: Watched, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        answer = exchange(watched.port, "POST", path, body, headers)
        watched.count(answer.code)
        return answer

    def wait_workers(self) -> float:
        """Wait until all configured workers exist; return the seconds."""
        began = time.monotonic()
        until(lambda: self.all_workers(metrics(self.model.service)), "all workers alive", self._worker_seconds)
        return time.monotonic() - began

    @staticmethod
    def all_workers(found: Metrics) -> bool:
        return found["ocr_workers_alive"] == found["ocr_workers_configured"] > 0

    def wait_idle(self) -> None:
        """Wait until nothing is in flight in either service."""
        for watched in self.services:
            name = "ocr_in_flight" if watched is self.model else "gateway_in_flight"
            until(partial(self._is, watched.service, name, 0), f"{name} 0")

    @staticmethod
    def _is(service: Service, name: str, value: float) -> bool:
        return metrics(service)[name] == value

    def workers(self) -> list[psutil.Process]:
        return self.model.process.children(recursive=True)

    def cpu_seconds(self) -> float:
        """Processor time of the current workers."""
        total = 0.0
        for worker in self.workers():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += sum(worker.cpu_times()[:2])
        return total

    def wait_until_working(self, pages: int = 1) -> None:
        """Wait until this many pages are with the model server."""
        until(lambda: metrics(self.model.service)["ocr_in_flight"] >= pages, f"{pages} requests in flight")

    def check_whole(self) -> list[str]:
        """The check after every fault; returns what was checked."""
        checks = []
        answer = self.read(KNOWN)
        assert answer.status == 200, answer
        assert answer.text == self.known_text
        checks.append("a known picture gives the same text")
        if not self._upstream:
            self.wait_workers()
            checks.append("as many workers as configured")
        self.wait_idle()
        checks.append("nothing in flight or queued")
        for watched in self.services:
            watched.check_resources()
        checks.append("descriptors, children, temporary files as before")
        self.check_accounts()
        checks.append("client = log = counters")
        for watched in self.services:
            watched.check_log()
        return checks

    def check_accounts(self) -> None:
        """Each request of the client has one log line and one count, all with the same outcome."""
        found = metrics(self.gateway.service)
        self.gateway.check_series(found)
        reading = [line for line in self.gateway.access() if line["path"] != PREVIEWS_PATH]
        drawing = Counter(line["outcome"] for line in self.gateway.access() if line["path"] == PREVIEWS_PATH)
        assert drawing == by_label(found, "gateway_previews_total", "outcome")
        logged = Counter(line["outcome"] for line in reading)
        assert logged == by_label(found, "gateway_requests_total", "outcome")
        whose = Counter(contract_of(line["path"]) or "gateway" for line in reading)
        assert whose == by_label(found, "gateway_requests_total", "contract")
        assert self.gateway.counted == Counter(line["outcome"] for line in self.gateway.new_access())
        assert logged.total() == found["gateway_request_duration_seconds_count"]
        if self._upstream:
            return
        found = metrics(self.model.service)
        self.model.check_series(found)
        lines = self.model.access()
        logged = Counter(line["outcome"] for line in lines)
        assert logged == by_label(found, "ocr_requests_total", "outcome")
        assert logged.total() == found["kserve_inference_request_count"]
        assert logged.total() - logged["ok"] == found["kserve_inference_request_error_count"]
        assert found["ocr_queue_length"] == 0
        ids = Counter(line["request_id"] for line in lines if line["outcome"] == "ok")
        for line in self.gateway.access("ok"):  # each text that a client got was read exactly once
            if "pages_failed" not in line:
                assert ids[line["request_id"]] == 1, line
        asked = ("upstream_seconds", "pages_failed")
        passed_on = {
            line["request_id"] for line in self.gateway.new_access() if any(name in line for name in asked)
        }
        direct = [
            line
            for line in self.model.new_access()
            if not {line["request_id"], _of_document(line["request_id"])} & passed_on
        ]
        assert self.model.counted == Counter(line["outcome"] for line in direct)


def _of_document(page_id: str) -> str:
    """The id of this page's request, if it is a page of a document."""
    return page_id.rpartition(".")[0]


def _wait_steady(watched: Watched) -> None:
    """Wait until the connections of the warm-up are closed: three equal counts."""
    looks: list[dict[str, Any]] = []

    def steady() -> bool:
        looks.append(watched.resources())
        return len(looks) >= 3 and looks[-1] == looks[-2] == looks[-3]

    until(steady, "resources steady")


def outcomes(answers: Sequence[Answer]) -> Counter[str]:
    return Counter(f"{answer.status} {answer.code}" for answer in answers)
