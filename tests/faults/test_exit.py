"""SIGTERM (fault 19): under load, during the start, twice."""

from __future__ import annotations

import base64
import contextlib
import signal
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Self

import httpx
import orjson
import psutil
import pytest

from scripts.services import Service, answers, api_gateway, free_port, in_use, model_server
from tests.faults import engines
from tests.faults.conftest import PairOf, Record
from tests.faults.pair import GATEWAY_PATH, KNOWN, MODEL_PATH, Pair, Watched, crowding, metrics, until
from tests.faults.wire import FORM, Answer, Wire, head, multipart, upload_head

CLIENTS = 3
SLOW = engines.slow(1)  # so that pages are in flight when the listener closes


class Load:
    """Clients that send without a pause until the listener closes; every outcome is kept."""

    def __init__(self, pair: Pair, *, kept: bool) -> None:
        self._pair = pair
        self._kept = kept
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.found: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._client, args=(at,)) for at in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _client(self, number: int) -> None:
        picture = multipart(SLOW if number == 0 else KNOWN)
        url = self._pair.gateway.service.url + GATEWAY_PATH
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(httpx.Client(trust_env=False, verify=False, timeout=30))
            while not self._ended.is_set():
                if not self._kept:
                    client = stack.enter_context(httpx.Client(trust_env=False, verify=False, timeout=30))
                outcome = self._one(client, url, picture)
                with self._lock:
                    self.found[outcome] += 1
                if outcome == "refused":  # the listener is closed: nothing was begun
                    return

    @staticmethod
    def _one(client: httpx.Client, url: str, picture: bytes) -> str:
        try:
            answer = client.post(url, content=picture, headers={"content-type": FORM})
        except httpx.ConnectError:
            return "refused"
        except httpx.HTTPError as error:
            return f"broken: {error!r}"
        return "ok" if answer.status_code == 200 else str(answer.json()["code"])


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() for process in processes)


def ends_well(watched: Watched, *, twice: bool = False) -> float:
    """Send SIGTERM; return the seconds until the clean exit."""
    children = watched.process.children(recursive=True)
    began = time.monotonic()
    watched.service.process.send_signal(signal.SIGTERM)
    if twice:
        path = "/health/ready" if watched.service.module == "api_gateway" else "/v1/models/ocr-model"
        until(lambda: not answers(watched.service.url + path), "the first one was heard")
        watched.service.process.send_signal(signal.SIGTERM)
    assert watched.service.process.wait(30) == 0
    seconds = time.monotonic() - began
    until(partial(all_gone, children), "its children are gone")
    watched.check_log()
    return seconds


@pytest.mark.slow
@pytest.mark.parametrize("kept", [True, False], ids=["keep-alive", "a connection each"])
@pytest.mark.fault(19, "SIGTERM to the gateway under load")
def test_19_gateway(pair_of: PairOf, record: Record, kept: bool) -> None:
    with pair_of(gateway={"SHUTDOWN_DELAY_SECONDS": "1"}).running() as pair:
        pair.begin()
        with Load(pair, kept=kept) as load:
            until(lambda: load.found["ok"] > 20, "load", 20)
            ready = f"{pair.gateway.service.url}/health/serving"
            stopping = threading.Thread(target=lambda: seconds.append(ends_well(pair.gateway)))
            seconds: list[float] = []
            stopping.start()
            until(lambda: not answers(ready), "not ready first", 0.9)
            with Wire(pair.gateway.port, head("/health/live", method="GET")) as wire:
                assert wire.answer().headers["connection"] == "close", "kept connections are given up in time"
            stopping.join()
        assert set(load.found) <= {"ok", "refused"}, load.found
        assert seconds, "exit 0, no child, no traceback"
        assert Counter(line["outcome"] for line in pair.gateway.new_access()) == {"ok": load.found["ok"]}
        kind = "kept connections" if kept else "a connection each"
        record.saw(f"{CLIENTS} clients, {kind}", "each request 200, then no connection", seconds[0])
        record.also("no reset; exit 0; children gone; client = log")


@pytest.mark.slow
@pytest.mark.fault(19, "SIGTERM to the model server under load")
def test_19_model_server(pair_of: PairOf, record: Record) -> None:
    with pair_of({"SHUTDOWN_DELAY_SECONDS": "1"}).running() as pair:
        pair.begin()
        with Load(pair, kept=True) as load:
            until(lambda: load.found["ok"] > 20, "load", 20)
            seconds = ends_well(pair.model)
            assert answers(f"{pair.gateway.service.url}/health/live")
            until(lambda: load.found["model_server_unreachable"], "the gateway noticed")
        assert set(load.found) <= {"ok", "model_server_unreachable"}, load.found
        until(lambda: metrics(pair.gateway.service)["gateway_in_flight"] == 0, "the last one is logged, too")
        pair.gateway.counted.update(load.found)
        assert Counter(line["outcome"] for line in pair.gateway.new_access()) == load.found
        assert Counter(line["outcome"] for line in pair.model.new_access()) == {"ok": load.found["ok"]}
        record.saw(
            f"{CLIENTS} clients of the gateway", "each request 200, then 503 model_server_unreachable", seconds
        )
        record.also("no 502; exit 0; children gone; client = log = the model server's log")


@pytest.mark.slow
@pytest.mark.fault(19, "SIGTERM twice, with a request in flight")
def test_19_sigterm_twice(pair_of: PairOf, record: Record) -> None:
    delays = {"SHUTDOWN_DELAY_SECONDS": "20"}
    with pair_of(delays, delays).running() as pair:
        pair.begin()
        for watched, picture in ((pair.gateway, engines.slow(1)), (pair.model, engines.slow(0.8))):
            if watched is pair.gateway:
                with Wire(watched.port, *pair.upload(picture)) as wire:
                    pair.wait_until_working()
                    seconds = ends_well(watched, twice=True)
                    answer = wire.answer()
                assert (answer.status, answer.text) == (200, "slow\n")
            else:
                seconds = ends_well(watched, twice=True)
            assert seconds < 3 * crowding(), "the second one skips the delay"
        record.answer("the request in flight", answer)
        record.also("exit 0; children gone")


def catches_sigterm(pid: int) -> bool:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def starting(kind: str) -> Service:
    if kind == "gateway":
        return api_gateway(f"http://127.0.0.1:{free_port()}")
    return model_server({"MODEL_SERVER_WORKERS": "1", "MODEL_SERVER_NEURAL": "false"})


@pytest.mark.slow
@pytest.mark.fault(19, "SIGTERM while starting, at ten moments")
def test_19_while_starting(record: Record) -> None:
    """From the first moment at which the process can handle SIGTERM."""
    slowest = 0.0
    for kind in ("gateway", "model server"):
        for moment in range(5):
            service = starting(kind).start()
            try:
                until(partial(catches_sigterm, service.pid), "it has a handler", 10)
                time.sleep(moment * (0.12 if kind == "gateway" else 0.4))
                children = psutil.Process(service.pid).children(recursive=True)
                began = time.monotonic()
                service.process.send_signal(signal.SIGTERM)
                assert service.process.wait(20) == 0, (kind, moment)
                slowest = max(slowest, time.monotonic() - began)
                until(partial(all_gone, children), "its children are gone")
            finally:
                service.process.kill()
                service.process.wait()
    record.saw("both services", "exit 0", slowest)
    record.also("children gone")


@pytest.mark.slow
def test_19_a_client_that_never_ends_does_not_keep_it(pair_of: PairOf) -> None:
    """Half a request, an idle connection and one refused in mid-body do not delay the exit."""
    with (
        pair_of().running() as pair,
        Wire(pair.gateway.port),
        Wire(pair.gateway.port, b"POST /gateway/oc"),
        Wire(pair.gateway.port, upload_head(1000)),
        Wire(pair.model.port, upload_head(1000, path="/v1/models/ocr-model:predict")),
        Wire(pair.model.port),
    ):
        until(lambda: metrics(pair.gateway.service)["gateway_in_flight"] > 0, "in flight")
        assert ends_well(pair.gateway) < 4 * crowding()
        assert ends_well(pair.model) < 4 * crowding()


@pytest.mark.slow
def test_19_the_grace_period_ends(pair_of: PairOf) -> None:
    """Requests that take longer than the grace period get 503; the exit is still clean."""
    settings = {"REQUEST_TIMEOUT_SECONDS": "2", "SHUTDOWN_GRACE_SECONDS": "2"}
    with pair_of(settings, {**settings, "DOCUMENT_GRACE_SECONDS": "2"}).running() as pair:
        answer = cut_by_the_exit(pair.gateway, b"".join(pair.upload(engines.slow(5))))
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "not_ready", "1")
        assert answer.headers["content-type"] == "application/problem+json"
        pair.wait_workers()
        picture = base64.b64encode(engines.slow(5)).decode()
        body = orjson.dumps({"instances": [{"image": {"b64": picture}}]})
        request = head(MODEL_PATH, "Content-Type: application/json", f"Content-Length: {len(body)}") + body
        answer = cut_by_the_exit(pair.model, request)
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "not_ready", "1")
        assert answer.headers["content-type"] == "application/json"


def cut_by_the_exit(watched: Watched, request: bytes) -> Answer:
    """The answer to a request that arrives during the grace period and has more time than is left of it."""
    with Wire(watched.port) as wire:
        ending = threading.Thread(target=lambda: seconds.append(ends_well(watched)))
        seconds: list[float] = []
        ending.start()
        until(lambda: not in_use(watched.port), "the grace period has begun")
        time.sleep(0.3)
        wire.say(request)
        answer = wire.answer()
        assert wire.ended()
        ending.join()
    assert seconds, "exit 0, no child, no traceback"
    assert seconds[0] < 4 * crowding()
    assert [line["outcome"] for line in watched.access()][-1] == "not_ready"
    assert "uvicorn.error" not in {line["logger"] for line in watched.log_lines()}
    return answer
