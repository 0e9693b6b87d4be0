"""The least rate for uploads and answers, and the answers at the end of the grace period, with a bare service."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from scripts.services import Service
from tests.faults.pair import Watched, by_label, little, metrics, until
from tests.faults.test_front_door import answered
from tests.faults.wire import Answer, Wire, exchange, head

KIB, MIB = 1 << 10, 1 << 20
IDLE = 1.0  # seconds
RATE = 64  # KiB per second
LARGE = 48 * MIB  # more than the kernel buffers of an answer that nobody reads

PREFIX = "TESTS.FAULTS.BARE_"
SETTINGS = {
    "BODY_IDLE_TIMEOUT_SECONDS": str(IDLE),
    "MIN_RATE_KIB_PER_SECOND": str(RATE),
    "SHUTDOWN_DELAY_SECONDS": "0",
    "SHUTDOWN_GRACE_SECONDS": "0.5",
    "LOG_FORMAT": "json",
}


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Watched]:
    with (tmp_path / "log").open("wb") as log:
        env = {f"{PREFIX}{name}": value for name, value in SETTINGS.items()}
        with Service("tests.faults.bare", "/health", env, log) as service:
            yield Watched(service, tmp_path / "log", tmp_path)


def outcomes(bare: Watched) -> Counter[str]:
    return by_label(metrics(bare.service), "outcomes_total", "outcome")


def upload(bare: Watched) -> Answer:
    return exchange(bare.port, "POST", "/upload", b"x" * MIB)


def trickle(wire: Wire, data: bytes, pause: float) -> None:
    """Send it repeatedly until there is an answer."""
    while not answered(wire):
        wire.say(data)
        time.sleep(pause)


SLOW: dict[str, Callable[[Wire], None]] = {
    "five bytes": lambda wire: wire.say(b"12345"),
    "a byte now and then": lambda wire: trickle(wire, b"x", 0.1),
    "below the rate": lambda wire: trickle(wire, bytes(RATE * KIB // 20), 0.1),
}


@pytest.mark.parametrize("way", SLOW)
def test_a_slow_upload_ends(bare: Watched, way: str) -> None:
    with Wire(bare.port, head("/upload", f"Content-Length: {20 * MIB}")) as wire:
        until(lambda: metrics(bare.service)["in_flight"] == 1, "it has begun")
        assert upload(bare).code == "overloaded", "its place is taken"
        SLOW[way](wire)
        answer = wire.answer()
        assert (answer.status, answer.code) == (408, "upload_too_slow")
        assert answer.seconds < (2 if way == "below the rate" else 1) * IDLE + little()
        assert upload(bare).status == 200, "its place is free"
    assert outcomes(bare) == {"429 overloaded": 1, "408 upload_too_slow": 1, "200 ok": 1}


def test_a_slow_but_steady_upload_is_served(bare: Watched) -> None:
    parts, part = 30, bytes(RATE * KIB // 5)
    with Wire(bare.port, head("/upload", f"Content-Length: {parts * len(part)}")) as wire:
        for _ in range(parts):
            wire.say(part)
            time.sleep(0.1)
        answer = wire.answer()
    assert answer.status == 200
    assert answer.seconds > 2 * IDLE


def connections(bare: Watched) -> list[int]:
    """Descriptors of connections with clients."""
    found = bare.process.connections("tcp")
    return [connection.fd for connection in found if connection.status != psutil.CONN_LISTEN]


def small_window(bare: Watched, *said: bytes) -> Wire:
    """A client with a small kernel buffer: bytes that its program does not read stay in the service."""
    wire = Wire(bare.port)
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
    for data in said:
        wire.say(data)
    return wire


def test_a_reader_that_stops_is_dropped(bare: Watched) -> None:
    """Its place, memory and descriptor are free again; the rest of the answer never arrives."""
    assert exchange(bare.port, "POST", f"/answer?{LARGE}").status == 200
    memory = bare.process.memory_info().rss
    began = time.monotonic()
    with small_window(bare, head(f"/answer?{LARGE}", "Content-Length: 0")) as wire:
        until(lambda: metrics(bare.service)["in_flight"] == 1, "it has begun")
        assert upload(bare).code == "overloaded", "its place is taken"
        until(lambda: upload(bare).status == 200, "its place is free", 3 * IDLE)
        assert time.monotonic() - began > IDLE, "it had some time"
        until(lambda: not connections(bare), "its descriptor is free")
        assert bare.process.memory_info().rss - memory < 8 * MIB
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while data := wire.socket.recv(MIB):
                received += len(data)
        assert received < LARGE
    assert outcomes(bare)["499 client_too_slow"] == 1
    assert [line["outcome"] for line in bare.access() if line["path"] == "/answer"] == ["ok", "client_too_slow"]
    bare.check_log()


def in_the_kernel(bare: Watched, wire: Wire) -> int:
    """Bytes of answers that the service has sent and the client's program has not read."""
    ports = {f"{bare.port:04X}", f"{wire.socket.getsockname()[1]:04X}"}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [row for row in rows if {row[1][-4:], row[2][-4:]} == ports]
    return sum(int(count, 16) for row in ours for count in row[4].split(":"))


def test_the_rest_of_an_answer_is_dropped_too(bare: Watched) -> None:
    """The application has ended, the connection is kept, and only the transport has the unread bytes."""
    size = 100 * KIB
    ask = head(f"/answer?{size}", "Content-Length: 0")
    with small_window(bare) as wire:
        asked = 0
        while in_the_kernel(bare, wire) >= asked * size:
            wire.say(ask)
            asked += 1
            until(lambda: outcomes(bare)["200 ok"] == asked, "the application is done")  # noqa: B023
        assert connections(bare)
        until(lambda: not connections(bare), "its descriptor is free", 3 * IDLE)


def test_a_slow_but_steady_reader_is_served(bare: Watched) -> None:
    """Also if the kernel accepts a megabyte at once, and then nothing for longer than the allowed pause."""
    size = 6 * MIB
    step = 2 * RATE * KIB // 10
    with small_window(bare, head(f"/answer?{size}", "Content-Length: 0", "Connection: close")) as wire:
        received = 0
        while wire.seconds() < 6 * IDLE:
            received += len(wire.socket.recv(step))
            time.sleep(0.1)
        assert received < size / 2, "the kernel had less"
        while data := wire.socket.recv(MIB):
            received += len(data)
    assert received > size
    assert outcomes(bare) == {"200 ok": 1}


def ends(bare: Watched) -> None:
    bare.service.process.send_signal(signal.SIGTERM)
    assert bare.service.process.wait(30) == 0
    bare.check_log()
    assert not [line for line in bare.log_lines() if line["level"] == "error" and line["logger"] != "access"]


def test_what_is_cut_at_the_end_of_the_grace_period_is_answered(bare: Watched) -> None:
    with Wire(bare.port, head("/wait", "Content-Length: 0")) as wire:
        until(lambda: metrics(bare.service)["in_flight"] == 1, "it has begun")
        ends(bare)
        answer = wire.answer()
        assert wire.ended()
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "not_ready", "1")
    assert answer.headers["connection"] == "close"
    assert [line["outcome"] for line in bare.access()] == ["not_ready"]


def test_a_body_that_still_arrives_at_the_end_of_the_grace_period_is_answered(bare: Watched) -> None:
    with Wire(bare.port, head("/upload", f"Content-Length: {20 * MIB}") + b"x") as wire:
        until(lambda: metrics(bare.service)["in_flight"] == 1, "it has begun")
        ends(bare)
        assert wire.answer().code == "not_ready"


def test_an_answer_begun_is_cut_at_the_end_of_the_grace_period(bare: Watched) -> None:
    with Wire(bare.port, head("/wait?begun", "Content-Length: 0")) as wire:
        until(lambda: answered(wire), "it has begun")
        ends(bare)
        received = b""
        while data := wire.socket.recv(MIB):
            received += data
    assert received.startswith(b"HTTP/1.1 200")
    assert not received.endswith(b"0\r\n\r\n")
    assert [line["outcome"] for line in bare.access()] == ["not_ready"]


def test_an_answer_over_http_1_0_that_is_cut_does_not_look_whole(bare: Watched) -> None:
    """It has no length, so its end is that of the connection: a reset, not a close."""
    with Wire(bare.port, head("/wait?begun", "Content-Length: 0").replace(b"HTTP/1.1", b"HTTP/1.0")) as wire:
        until(lambda: answered(wire), "it has begun")
        ends(bare)
        assert wire.socket.recv(MIB).endswith(b"\r\n\r\nbegun")
        with pytest.raises(ConnectionResetError):
            wire.socket.recv(MIB)
