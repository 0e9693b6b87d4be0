"""The gateway with a model server that is down, slow, silent or broken (faults 16, 17), and repeated calls."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from scripts.services import free_port
from tests.faults.conftest import Fronted, PairOf, Record
from tests.faults.pair import KNOWN, Pair, little, metrics, until
from tests.faults.wire import HOST, PAGE, StandIn, Wire, reset, response, sound

CONNECT_SECONDS = 0.5  # the limit of these gateways
RETRIES = "gateway_upstream_retries_total"


@pytest.mark.fault(16, "The model server is down: nobody listens, or nobody answers the call")
def test_16_model_server_down(pair_of: PairOf, record: Record) -> None:
    with socket.create_server((HOST, 0), backlog=1) as full:
        port = full.getsockname()[1]
        held = [socket.socket() for _ in range(4)]  # the queue is full: the kernel ignores further connections
        for caller in held:
            caller.setblocking(False)
            caller.connect_ex((HOST, port))
        for what, url in (
            ("nobody listens", f"http://{HOST}:{free_port()}"),
            ("no connection", f"http://{HOST}:{port}"),
        ):
            down = StandIn(port=int(url.rpartition(":")[2]))
            pair = pair_of(upstream=down, folder=what)
            with pair.alone():
                answer = record.answer(what, pair.read(KNOWN))
                assert (answer.status, answer.code) == (503, "model_server_unreachable")
                assert answer.headers["retry-after"]
                assert answer.seconds < 2 * CONNECT_SECONDS + little(), "the connect timeout, for two tries"
                assert metrics(pair.gateway.service)[RETRIES] == 1
                pair.wait_idle()
                pair.check_accounts()
                record.also(f"{what}: client = log = counters")
        for caller in held:
            caller.close()


def test_16_model_server_comes_back(pair: Pair, pair_of: PairOf) -> None:
    """A gateway that started before its model server works as soon as there is one."""
    late = pair_of(upstream=StandIn(port=pair.model.port))
    with late.alone():
        assert late.read(KNOWN).text == pair.known_text


def silent(wire: socket.socket) -> None:
    wire.settimeout(20)
    wire.recv(1)


def half(wire: socket.socket) -> None:
    wire.sendall(response(200, {"predictions": [PAGE]})[:60])
    silent(wire)


def reset_in_body(wire: socket.socket) -> None:
    wire.sendall(response(200, {"predictions": [PAGE]})[:-20])
    reset(wire)


def cut_in_body(wire: socket.socket) -> None:
    wire.sendall(response(200, {"predictions": [PAGE]})[:-20])


def no_answer(wire: socket.socket) -> None:
    wire.shutdown(socket.SHUT_RDWR)


BROKEN = {
    "resets at once": reset,
    "resets in mid-answer": reset_in_body,
    "closes in mid-answer": cut_in_body,
    "closes without an answer": no_answer,
    "speaks no HTTP": lambda wire: wire.sendall(b"220 smtp ready\r\n"),
    "answers no JSON": lambda wire: wire.sendall(response(200, b"<html>")),
    "answers something else": lambda wire: wire.sendall(response(200, {"hello": 1})),
    "answers a list": lambda wire: wire.sendall(response(200, [1])),
    "answers no prediction": lambda wire: wire.sendall(response(200, {"predictions": []})),
    "answers a page without its parts": lambda wire: wire.sendall(response(200, {"predictions": [{}]})),
    "answers null for a page": lambda wire: wire.sendall(response(200, {"predictions": [None]})),
    "answers an engine of null": lambda wire: wire.sendall(
        response(200, {"predictions": [{**PAGE, "engine": None}]})
    ),
    "answers words of null": lambda wire: wire.sendall(response(200, {"predictions": [{**PAGE, "words": None}]})),
    "answers words that are numbers": lambda wire: wire.sendall(
        response(200, {"predictions": [{**PAGE, "words": [1]}]})
    ),
    "answers a word without a box": lambda wire: wire.sendall(
        response(200, {"predictions": [{**PAGE, "words": [{"text": "x", "bbox": [1]}]}]})
    ),
    "answers a width that is a text": lambda wire: wire.sendall(
        response(200, {"predictions": [{**PAGE, "width": "wide"}]})
    ),
    "answers a list for a code": lambda wire: wire.sendall(response(429, {"error": "x", "code": ["overloaded"]})),
    "answers 500": lambda wire: wire.sendall(response(500, {"error": "x", "code": "internal_error"})),
    "answers 200 for an error": lambda wire: wire.sendall(response(200, {"error": "x", "code": "overloaded"})),
    "answers a code with another status": lambda wire: wire.sendall(
        response(500, {"error": "x", "code": "overloaded"})
    ),
    "answers a code that is not known": lambda wire: wire.sendall(response(418, {"error": "x", "code": "teapot"})),
}


@pytest.mark.fault(
    17, "The model server slow, silent in mid-answer, reset or closed in mid-answer, or talking nonsense"
)
def test_17_model_server_broken(fronted: Fronted, record: Record) -> None:
    pair, upstream = fronted.pair, fronted.model_server
    for what, behaviour in (("never answers", silent), ("falls silent in mid-answer", half)):
        upstream.does(behaviour)
        late = record.answer(f"{what}, budget 1 s", pair.read(KNOWN, headers={"x-request-timeout": "1"}))
        assert (late.status, late.code) == (504, "deadline_exceeded")
        assert late.seconds < 1 + little()
        assert len(upstream.calls) == 1
    for what, behaviour in BROKEN.items():
        upstream.does(behaviour)
        answer = pair.read(KNOWN)
        assert (answer.status, answer.code) == (502, "model_server_failed"), what
        assert len(upstream.calls) == 1, f"{what}: its outcome is unknown, and it was sent again"
        if behaviour in (reset, reset_in_body, cut_in_body):
            record.answer(what, answer)
    upstream.does(sound)
    record.also("one call each: nothing of unknown outcome is sent again")
    record.whole(pair)


@pytest.mark.fault(17, "The real model server stands still (SIGSTOP)")
def test_17_model_server_stands_still(pair: Pair, record: Record) -> None:
    pair.model.service.process.send_signal(signal.SIGSTOP)
    try:
        late = record.answer("budget 0.5 s", pair.read(KNOWN, headers={"x-request-timeout": "0.5"}))
        assert (late.status, late.code) == (504, "deadline_exceeded")
        assert late.seconds < 0.5 + little()
    finally:
        pair.model.service.process.send_signal(signal.SIGCONT)
    until(
        lambda: late.json["request_id"] in {line["request_id"] for line in pair.model.access()}, "it was received"
    )
    assert pair.model.access()[-1]["outcome"] in ("client_gone", "bad_request"), "and not read for nobody"
    record.whole(pair)


def overloaded(wire: socket.socket) -> None:
    wire.sendall(response(429, {"error": "full", "code": "overloaded"}, "Retry-After: 7"))


def not_ready(wire: socket.socket) -> None:
    wire.sendall(response(503, {"error": "not yet", "code": "not_ready"}, "Retry-After: 3"))


def crashed(wire: socket.socket) -> None:
    wire.sendall(response(503, {"error": "crashed", "code": "worker_crashed"}))


@pytest.mark.fault(0, "The model server refuses")
def test_refusals_are_tried_once_more(fronted: Fronted, record: Record) -> None:
    pair, upstream = fronted.pair, fronted.model_server
    for refuses, status, code, after in ((overloaded, 429, "overloaded", "7"), (not_ready, 503, "not_ready", "3")):
        upstream.does(refuses, sound)
        assert record.answer(f"{code}, then room", pair.read(KNOWN)).status == 200
        assert len(upstream.calls) == 2
        upstream.does(refuses)
        answer = record.answer(f"{code} twice", pair.read(KNOWN))
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (status, code, after)
        assert len(upstream.calls) == 2
        time.sleep(0.3)  # the gateway remembers a refusal for 0.25 s
    upstream.does(crashed)
    assert pair.read(KNOWN).code == "worker_crashed"
    assert len(upstream.calls) == 1, "a page that crashed a worker is not tried on another"
    for nonsense in ("nan", "inf", "-1", "x", "1e999", "Wed, 21 Oct 2026 07:28:00 GMT"):
        upstream.does(
            lambda wire, value=nonsense: wire.sendall(  # type: ignore[misc]
                response(429, {"error": "full", "code": "overloaded"}, f"Retry-After: {value}")
            )
        )
        assert pair.read(KNOWN).status == 429, nonsense
        time.sleep(0.3)
    upstream.does(sound)
    record.whole(pair)


def test_second_tries_have_a_budget(fronted: Fronted) -> None:
    """Repeated calls would increase an overload: at most ten saved ones, and one per ten successes."""
    pair, upstream = fronted.pair, fronted.model_server
    upstream.does(not_ready)
    calls = 0
    for _ in range(30):
        pair.read(KNOWN)
    calls = len(upstream.calls)
    assert 30 <= calls <= 41
    upstream.does(sound)
    for _ in range(100):
        pair.read(KNOWN)
    pair.check_whole()


def test_what_is_left_is_passed_on(fronted: Fronted) -> None:
    pair, upstream = fronted.pair, fronted.model_server
    pair.read(KNOWN, headers={"x-request-timeout": "5", "x-request-id": "mine.1"})
    told = upstream.calls[0]
    assert 4 < float(told["x-request-timeout"]) < 5
    assert told["x-request-id"] == "mine.1"


def test_the_gateway_drops_its_call_when_the_client_goes(fronted: Fronted) -> None:
    pair, upstream = fronted.pair, fronted.model_server
    upstream.does(upstream.wait_until_closed)
    with Wire(pair.gateway.port, *pair.upload(KNOWN)) as wire:
        until(lambda: upstream.calls, "the call")
        wire.reset()
    assert upstream.gone.wait(1)
    pair.gateway.count("client_gone")
    upstream.does(sound)
    pair.check_whole()
