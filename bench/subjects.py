"""The measured subjects: the services and the usual design, as processes with their requests."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

import orjson
import psutil

from bench.machine import children_cpu, own_cpu
from scripts import services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.workloads import Image, Workload
    from service_kit.page import EngineName

_BOUNDARY = b"----bench7d1f0a"
_READY_SECONDS = 60.0
_SETTLE_SECONDS = 0.5
_POLL_SECONDS = 0.05
# Longer timeouts than the defaults, so that closed loops work on slow machines.
_ENV = {"REQUEST_TIMEOUT_SECONDS": "120", "SHUTDOWN_GRACE_SECONDS": "120", "SHUTDOWN_DELAY_SECONDS": "0"}
# The two usual designs: with default settings, and with one thread, which few people set.
USUAL: dict[str, dict[str, str]] = {"usual": {}, "usual_omp1": {"OMP_THREAD_LIMIT": "1"}}


class BrokenRun(Exception):
    """The run is not valid: an error, a wrong text, or a missing result."""


class Subject(Protocol):
    """A server that reads pictures over HTTP. `cpu_seconds` gives the CPU time of its processes so far."""

    name: str
    port: int

    def cpu_seconds(self) -> dict[str, float]: ...
    def request(self, image: Image, deadline: float | None = None) -> bytes: ...
    def text(self, body: bytes) -> str: ...


def requests(subject: Subject, workload: Workload, deadline: float | None = None) -> list[bytes]:
    return [subject.request(image, deadline) for image in workload.images]


class Stack:
    """Both services, as the two subjects `service` (whole path) and `model_server`."""

    def __init__(self, model: services.Service, gateway: services.Service) -> None:
        self.model = model
        self.gateway = gateway
        self.service = WholePath(self)
        self.model_server = ModelServerAlone(self)

    def by_engine(self, engine: EngineName) -> WholePath:
        """The subject `service`, with requests that name the engine."""
        return WholePath(self, engine)

    def workers(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.model.pid).children()]

    def groups(self) -> dict[str, list[int]]:
        return {"gateway": [self.gateway.pid], "model server": [self.model.pid], "workers": self.workers()}

    def cpu_seconds(self) -> dict[str, float]:
        return {
            "gateway": own_cpu(self.gateway.pid) + children_cpu(self.gateway.pid),
            "model server": own_cpu(self.model.pid),
            "workers": children_cpu(self.model.pid),
        }


@contextlib.contextmanager
def stack(logs: Path, engine: EngineName) -> Iterator[Stack]:
    """Both services, ready with all workers, logging to files in `logs`."""
    with services_to_start(logs, engine) as (model, gateway):
        model.start()
        gateway.start()
        model.wait_ready()
        wait_for_workers(model)
        gateway.wait_ready()
        time.sleep(_SETTLE_SECONDS)
        yield Stack(model, gateway)


@contextlib.contextmanager
def services_to_start(
    logs: Path, engine: EngineName, gateway_settings: dict[str, str] | None = None
) -> Iterator[tuple[services.Service, services.Service]]:
    """Model server and gateway, not started yet; both are stopped at the end.

    `engine` reads the pages of requests that name none. The neural engine is loaded in any case.
    """
    settings = {**_ENV, "ENGINE": engine}
    with contextlib.ExitStack() as opened:
        model_log: IO[bytes] = opened.enter_context((logs / "model_server.log").open("ab"))
        gateway_log: IO[bytes] = opened.enter_context((logs / "gateway.log").open("ab"))
        model = services.model_server(
            {f"MODEL_SERVER_{name}": value for name, value in settings.items()}, model_log
        )
        of_gateway = {**_ENV, **(gateway_settings or {})}
        gateway = services.api_gateway(
            model.url, {f"API_GATEWAY_{name}": value for name, value in of_gateway.items()}, gateway_log
        )
        opened.callback(_stop, model)
        opened.callback(_stop, gateway)
        yield model, gateway


def wait_for_workers(model: services.Service) -> None:
    """Wait for every worker; the server is ready after the first one."""
    wanted = scrape(model, "ocr_workers_configured")
    end = time.monotonic() + _READY_SECONDS
    while scrape(model, "ocr_workers_alive") < wanted:
        if time.monotonic() > end:
            raise BrokenRun("The model server did not start all its workers.")
        time.sleep(_POLL_SECONDS)


def scrape(model: services.Service, metric: str) -> float:
    with urllib.request.urlopen(f"{model.url}/metrics", timeout=_READY_SECONDS) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"{metric} ")).split()[1])


def _stop(service: services.Service) -> None:
    if not service.started:
        return
    try:
        service.stop()
    finally:  # also when a signal interrupts the wait
        if service.process.poll() is None:
            service.process.kill()


class WholePath:
    """(b): an upload through the gateway and the model server. `engine` None: the model server's default."""

    name = "service"
    _path = "/gateway/ocr"

    def __init__(self, stack: Stack, engine: EngineName | None = None) -> None:
        self._stack = stack
        self.port = stack.gateway.port
        if engine is not None:
            self.name = f"service with engine={engine}"
            self._path = f"/gateway/ocr?engine={engine}"

    def cpu_seconds(self) -> dict[str, float]:
        return self._stack.cpu_seconds()

    def request(self, image: Image, deadline: float | None = None) -> bytes:
        return _upload(self._path, image, deadline)

    def text(self, body: bytes) -> str:
        return str(orjson.loads(body)["text"])


class ModelServerAlone:
    """(c): the model server's V1 protocol."""

    name = "model_server"

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.port = stack.model.port

    def cpu_seconds(self) -> dict[str, float]:
        return self._stack.cpu_seconds()

    def request(self, image: Image, deadline: float | None = None) -> bytes:
        body = b'{"instances":[{"image":{"b64":"%b"}}]}' % base64.b64encode(image.file)
        return _post("/v1/models/ocr-model:predict", b"application/json", body, deadline)

    def text(self, body: bytes) -> str:
        return str(orjson.loads(body)["predictions"][0]["text"])


class Usual:
    """(d) and (e): pytesseract called in the handler, with the same language data as the services."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], port: int) -> None:
        self.name = name
        self.port = port
        self._process = process

    def cpu_seconds(self) -> dict[str, float]:
        return {"usual": own_cpu(self._process.pid) + children_cpu(self._process.pid)}

    def request(self, image: Image, deadline: float | None = None) -> bytes:
        return _upload("/ocr", image, deadline)

    def text(self, body: bytes) -> str:
        return str(orjson.loads(body)["text"]).replace("\f", "")


@contextlib.contextmanager
def usual(name: str, env: dict[str, str]) -> Iterator[Usual]:
    port = services.free_port()
    unset = ("OMP_THREAD_LIMIT", "OMP_NUM_THREADS")
    inherited = {key: value for key, value in os.environ.items() if key not in unset}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.usual", str(port)],
        cwd=services.ROOT,
        env={**inherited, "TESSDATA_PREFIX": str(Path(sys.prefix) / "share" / "tessdata"), **env},
        start_new_session=True,
    )
    try:
        end = time.monotonic() + _READY_SECONDS
        while not services.answers(f"http://127.0.0.1:{port}/health"):
            if process.poll() is not None or time.monotonic() > end:
                raise BrokenRun("The usual design did not start.")
            time.sleep(_POLL_SECONDS)
        yield Usual(name, process, port)
    finally:
        _end_with_children(process)


def _end_with_children(process: subprocess.Popen[bytes]) -> None:
    """Kill the server, and the programs that its handlers still wait for."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for running in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                running.kill()
    process.kill()
    process.wait()


def _upload(path: str, image: Image, deadline: float | None) -> bytes:
    head = [
        b"--" + _BOUNDARY,
        b'Content-Disposition: form-data; name="image_file"; filename="picture"',
        b"Content-Type: " + image.media_type.encode(),
    ]
    body = b"\r\n".join(head) + b"\r\n\r\n" + image.file + b"\r\n--%b--\r\n" % _BOUNDARY
    return _post(path, b"multipart/form-data; boundary=" + _BOUNDARY, body, deadline)


def _post(path: str, media_type: bytes, body: bytes, deadline: float | None) -> bytes:
    lines = [
        b"POST %b HTTP/1.1" % path.encode(),
        b"Host: 127.0.0.1",
        b"Content-Type: " + media_type,
        b"Content-Length: %d" % len(body),
    ]
    if deadline is not None:
        lines.append(b"X-Request-Timeout: %.3f" % deadline)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(path: str) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % path.encode()
