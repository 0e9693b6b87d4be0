"""No model server, and then there is one: pictures and documents wait for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts.services import free_port
from tests.documents import make
from tests.faults.conftest import PairOf, Record
from tests.faults.pair import KNOWN, Pair, little, metrics, until
from tests.faults.wire import StandIn, Wire, stand_in

AT_ONCE = 3
CONNECT_SECONDS = 0.5


def waiting(pair: Pair) -> float:
    return metrics(pair.gateway.service)["gateway_requests_waiting"]


def without_model_server(pair_of: PairOf, seconds: str, port: int = 0, **settings: str) -> Pair:
    settings["WAIT_FOR_MODEL_SECONDS"] = seconds
    return pair_of(gateway=settings, upstream=StandIn(port=port or free_port()))


@pytest.mark.fault(0, "There is no model server, and pictures may wait for one")
def test_pictures_wait_for_the_model_server(pair_of: PairOf, record: Record) -> None:
    port = free_port()
    pair = without_model_server(pair_of, "25", port)
    with pair.alone(), ThreadPoolExecutor(AT_ONCE) as pool:
        pair.begin()
        reading = [pool.submit(pair.read, KNOWN) for _ in range(AT_ONCE)]
        until(lambda: waiting(pair) == AT_ONCE, "all wait")
        assert not any(one.done() for one in reading)
        with stand_in(port) as upstream:
            for one in reading:
                assert record.answer("once there is one", one.result()).status == 200
            assert len(upstream.calls) == AT_ONCE, "each is read once"
        assert waiting(pair) == 0
        pair.wait_idle()
        pair.check_accounts()
        record.also("client = log = counters")


@pytest.mark.fault(0, "There is no model server, and the time to wait for one ends")
def test_a_picture_waits_no_longer_than_it_may(pair_of: PairOf, record: Record) -> None:
    with without_model_server(pair_of, "2").alone() as pair:
        pair.begin()
        answer = record.answer("after 2 s", pair.read(KNOWN))
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (
            503,
            "model_server_unreachable",
            "1",
        )
        assert 2 <= answer.seconds < 2 + 2 * CONNECT_SECONDS + little()
        sooner = record.answer("budget 1 s", pair.read(KNOWN, headers={"x-request-timeout": "1"}))
        assert (sooner.status, sooner.code) == (503, "model_server_unreachable"), "not 504: nothing was begun"
        assert sooner.seconds < 1 + little()
        assert waiting(pair) == 0
        pair.wait_idle()
        pair.check_accounts()


def test_the_client_s_leaving_ends_the_wait(pair_of: PairOf) -> None:
    with without_model_server(pair_of, "25").alone() as pair:
        pair.begin()
        with Wire(pair.gateway.port, *pair.upload(KNOWN)) as wire:
            until(lambda: waiting(pair) == 1, "it waits")
            wire.reset()
        pair.gateway.count("client_gone")
        until(lambda: waiting(pair) == 0, "it does not wait any longer", 1)
        pair.wait_idle()
        pair.check_accounts()


def test_those_who_wait_keep_their_place(pair_of: PairOf) -> None:
    pair = without_model_server(pair_of, "25", MAX_IN_FLIGHT="1")
    with pair.alone(), Wire(pair.gateway.port, *pair.upload(KNOWN)):
        until(lambda: waiting(pair) == 1, "it waits")
        assert pair.read(KNOWN).status == 429


@pytest.mark.parametrize("seconds", ["0", "25"])
def test_pages_of_a_document_wait_with_any_setting(pair_of: PairOf, seconds: str) -> None:
    port = free_port()
    pair = without_model_server(pair_of, seconds, port)
    document = make.joined(*(make.sized(width, 50) for width in (100, 101, 102)))
    with pair.alone(), ThreadPoolExecutor(1) as pool:
        pair.begin()
        reading = pool.submit(pair.read, document, "?dpi=72")
        until(lambda: waiting(pair) == 3, "its pages wait")
        with stand_in(port) as upstream:
            answer = reading.result()
            assert [(page["status"], page["attempts"]) for page in answer.json["pages"]] == [("ok", 1)] * 3
            assert len(upstream.calls) == 3
        assert waiting(pair) == 0
        pair.wait_idle()
        pair.check_accounts()
