"""GET /gateway/jobs/{id}/events: progress as server-sent events."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.conftest import Launch, Pair
from tests.documents import make
from tests.jobs.over_http import JOBS, Event, events, submitted, until
from tests.pictures.render import Picture

LISTENERS = 6
IDLE_SECONDS = 1


@pytest.fixture(scope="module")
def served(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("jobs")
    settings = {
        "JOBS_DIR": str(folder),
        "JOBS_MAX_LISTENERS": str(LISTENERS),
        "BODY_IDLE_TIMEOUT_SECONDS": str(IDLE_SECONDS),
    }
    with launch(gateway=settings) as started:
        yield started


@pytest.fixture(scope="module")
def client(served: Pair) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.gateway.url, timeout=60, trust_env=False) as opened:
        yield opened


def test_each_change_is_an_event_for_every_listener(client: httpx.Client, page: Picture) -> None:
    job = submitted(client, make.scanned(*[page] * 4))["id"]
    heard: list[list[Event]] = [[] for _ in range(LISTENERS)]
    threads = [Thread(target=lambda into=into: into.extend(events(client, job))) for into in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found in heard:
        assert [event.name for event in found] == ["progress"] * (len(found) - 1) + ["end"]
        assert len(found) > 2
        done = [int(event.id or -1) for event in found]
        assert done == sorted(done) == [event.data["pages_done"] for event in found]
        assert found[-1].data == client.get(f"{JOBS}/{job}").json()
        assert found[-1].data["status"] == "complete"


def test_a_client_goes_on_after_the_last_event_that_it_has(client: httpx.Client, page: Picture) -> None:
    job = submitted(client, make.scanned(*[page] * 3))["id"]
    for event in events(client, job):
        last = event
        if event.data["pages_done"]:
            break
    again = list(events(client, job, last.id))
    assert [event for event in again if event.id == last.id and event.name == "progress"] == []
    assert again[-1].name == "end"
    from_the_start = list(events(client, job))
    assert from_the_start == again[-1:]
    assert list(events(client, job, again[-1].id)) == again[-1:]
    assert list(events(client, job, "garbage")) == again[-1:]


@contextlib.contextmanager
def stopped(served: Pair) -> Iterator[None]:
    """The model server takes pages and does not answer."""
    served.model.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        served.model.process.send_signal(signal.SIGCONT)


def listening(served: Pair, job: str) -> socket.socket:
    wire = socket.create_connection(("127.0.0.1", served.gateway.port), timeout=60)
    wire.sendall(f"GET {JOBS}/{job}/events HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    assert wire.recv(1 << 16).startswith(b"HTTP/1.1 200")
    return wire


def test_an_idle_stream_stays_and_a_client_that_goes_frees_its_place(
    served: Pair, client: httpx.Client, label: Picture
) -> None:
    with stopped(served):
        job = submitted(client, make.scanned(label))["id"]
        wires = [listening(served, job) for _ in range(LISTENERS)]
        refused = client.get(f"{JOBS}/{job}/events")
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        time.sleep(4 * IDLE_SECONDS)  # a reader that is slow is dropped after the idle time
        for wire in wires[1:]:
            wire.close()
        until(lambda: not is_refused(client, job))
    rest = b"".join(iter(lambda: wires[0].recv(1 << 16), b""))
    wires[0].close()
    assert b"event: end" in rest


def is_refused(client: httpx.Client, job: str) -> bool:
    with client.stream("GET", f"{JOBS}/{job}/events") as stream:
        return stream.status_code == 429


def test_a_job_that_is_removed_ends_its_streams(served: Pair, client: httpx.Client, label: Picture) -> None:
    with stopped(served):
        job = submitted(client, make.scanned(label))["id"]
        wire = listening(served, job)
        assert client.delete(f"{JOBS}/{job}").status_code == 204
        rest = b"".join(iter(lambda: wire.recv(1 << 16), b""))
        wire.close()
    assert b"event: end" in rest
    assert b'"status":"cancelled"' in rest


def test_a_gateway_that_shuts_down_ends_its_streams(launch: Launch, tmp_path: Path, label: Picture) -> None:
    with launch(gateway={"JOBS_DIR": str(tmp_path), "SHUTDOWN_DELAY_SECONDS": "1"}) as served, stopped(served):
        with httpx.Client(base_url=served.gateway.url, trust_env=False) as client:
            job = submitted(client, make.scanned(label))["id"]
        wire = listening(served, job)
        began = time.monotonic()
        served.gateway.process.send_signal(signal.SIGTERM)
        rest = b"".join(iter(lambda: wire.recv(1 << 16), b""))
        wire.close()
        assert b"event: end" not in rest
        assert served.gateway.process.wait(20) == 0
        assert time.monotonic() - began < 15
