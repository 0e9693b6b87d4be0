"""Clients of contracts that go, pause or come in crowds: nothing of them stays, and each is counted once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.contracts import CONTRACTS, UPLOAD, Way
from tests.faults import engines
from tests.faults.conftest import PairOf, Record
from tests.faults.pair import KNOWN, Pair, little, metrics, until
from tests.faults.test_documents import slow_pages
from tests.faults.wire import Answer, Wire, exchange, head, stand_in

AT_ONCE = {name: way for name, way in CONTRACTS.items() if not way.asks_later}
ALL = {**CONTRACTS, "mistral, upload": UPLOAD}
SLOW_FILES: dict[str, Callable[[], bytes]] = {
    "picture": lambda: engines.slow(10),
    "document": lambda: slow_pages(20, 0.3),
}
IDLE = 1.0  # seconds that a body may pause, in these pairs


def said(way: Way, data: bytes) -> tuple[bytes, bytes]:
    """Head and body of its request."""
    content_type, body = way.wrap(data)
    lines = [f"Content-Type: {content_type}"] if content_type else []
    return head(way.path, *lines, f"Content-Length: {len(body)}", method=way.method), body


def send(pair: Pair, way: Way, data: bytes) -> Answer:
    content_type, body = way.wrap(data)
    headers = {"content-type": content_type} if content_type else {}
    return exchange(pair.gateway.port, way.method, way.path, body, headers)


def as_seen(answer: Answer) -> httpx.Response:
    return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


def check_error(way: Way, answer: Answer, status: int, code: str) -> None:
    assert answer.status == status, answer
    assert way.error(as_seen(answer))[0] in (code, None)


def check_whole(pair: Pair, way: Way, record: Record) -> None:
    """The contract still reads a known picture."""
    answer = send(pair, way, KNOWN)
    pair.gateway.count("ok")
    seen = as_seen(answer)
    text = way.text(seen.text if answer.headers["content-type"].startswith("text/") else seen.json())
    assert text == way.pages([pair.known_text])
    record.whole(pair)


def in_flight(pair: Pair, count: int) -> None:
    until(lambda: metrics(pair.gateway.service)["gateway_in_flight"] == count, f"{count} in flight")


@pytest.mark.parametrize("name", AT_ONCE)
@pytest.mark.fault(0, "Contracts: the client goes while its file arrives")
def test_the_client_goes_in_mid_upload(pair: Pair, record: Record, name: str) -> None:
    began = time.monotonic()
    with half_sent(pair, AT_ONCE[name]):
        pass
    record.saw(name, "nothing stays", time.monotonic() - began)
    check_whole(pair, AT_ONCE[name], record)


@pytest.mark.parametrize("kind", SLOW_FILES)
@pytest.mark.parametrize("name", AT_ONCE)
@pytest.mark.fault(0, "Contracts: the client goes while its file is read")
def test_the_client_goes_in_mid_reading(pair: Pair, record: Record, name: str, kind: str) -> None:
    way = AT_ONCE[name]
    with Wire(pair.gateway.port, *said(way, SLOW_FILES[kind]())) as wire:
        pair.wait_until_working()
        wire.reset()
    pair.gateway.count("client_gone")
    began = time.monotonic()
    in_flight(pair, 0)
    record.saw(f"{name}, a {kind}", "its reading is stopped", time.monotonic() - began)
    check_whole(pair, way, record)


@pytest.mark.fault(0, "Contracts: a body that pauses")
def test_a_body_that_pauses(pair: Pair, record: Record) -> None:
    with contextlib.ExitStack() as stack:
        wires = {}
        for name, way in AT_ONCE.items():
            start, body = said(way, KNOWN)
            wires[name] = stack.enter_context(Wire(pair.gateway.port, start, body[:-10]))
        for name, wire in wires.items():
            answer = wire.answer()
            pair.gateway.count("upload_too_slow")
            check_error(AT_ONCE[name], answer, 408, "upload_too_slow")
            assert answer.seconds < IDLE + 2 * little()
            record.saw(name, "408", answer.seconds)
    for way in AT_ONCE.values():
        check_whole(pair, way, record)


@pytest.mark.fault(0, "Contracts: more clients than there are places, and files of jobs that do not arrive")
def test_more_clients_than_places(pair_of: PairOf, record: Record, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    gateway = {"MAX_IN_FLIGHT": "1", "JOBS_DIR": str(tmp_path / "jobs")}
    with stand_in() as upstream, pair_of(gateway=gateway, upstream=upstream).running() as pair:
        with half_sent(pair, CONTRACTS["openwebui"]):
            for name, way in ALL.items():
                answer = send(pair, way, KNOWN)
                pair.gateway.count("overloaded")
                check_error(way, answer, 429, "overloaded")
                assert int(answer.headers["retry-after"]) >= 1
                record.saw(name, "429", answer.seconds)
        for name in sorted(ALL.keys() - AT_ONCE.keys()):
            with half_sent(pair, ALL[name]):
                pass
        assert not exchange(pair.gateway.port, "GET", "/gateway/jobs").json["jobs"]
        record.also("a file that did not arrive is no job")
        for name, way in AT_ONCE.items():
            assert send(pair, way, KNOWN).status == 200, name
            pair.gateway.count("ok")
        record.whole(pair)


@contextlib.contextmanager
def half_sent(pair: Pair, way: Way) -> Iterator[None]:
    """A client that goes after half of its file."""
    start, body = said(way, KNOWN)
    with Wire(pair.gateway.port, start, body[: len(body) // 2]) as wire:
        in_flight(pair, 1)
        yield
        wire.reset()
    pair.gateway.count("client_gone")
    in_flight(pair, 0)
