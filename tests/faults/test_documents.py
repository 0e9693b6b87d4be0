"""Documents during which something fails."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Callable

import psutil
import pytest
from PIL import Image

from tests.documents import make
from tests.documents.faulty_splitter import Fault as Split
from tests.faults import engines
from tests.faults.conftest import PairOf, Record
from tests.faults.engines import Fault
from tests.faults.pair import GATEWAY_PATH, Pair, metrics, until
from tests.faults.wire import Answer, Wire, multipart, upload_head
from tests.pictures import render

QUERY = "?dpi=72"  # so that a page of a PDF has as many pixels as points
FAULTY_SPLITTER = {
    "ENVIRONMENT": "test",
    "TEST_SPLITTER": "tests.documents.faulty_splitter",
    "SPLITTER_TIMEOUT_SECONDS": "1",
    "SPLITTER_KILL_MIB": "300",
}


def tiff(*pictures: bytes) -> bytes:
    """One page per PNG."""
    stream = io.BytesIO()
    first, *rest = (Image.open(io.BytesIO(data)).convert("1") for data in pictures)
    first.save(stream, "TIFF", save_all=True, append_images=rest, compression="group4")
    return stream.getvalue()


def slow_pages(count: int, seconds: float) -> bytes:
    return tiff(*[engines.slow(seconds)] * count)


def label_pages(*widths: float) -> bytes:
    """A PDF whose first and last page have text, with blank ones of these widths between them."""
    label = make.scanned(render.label(1))
    return make.joined(label, *(make.sized(width, 300) for width in widths), label)


def codes(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [page.get("code", "ok") for page in answer.json["pages"]]


def during(pair: Pair, data: bytes, act: Callable[[], None], query: str = "") -> Answer:
    """The answer to a document during which an action is done."""
    found: list[Answer] = []
    thread = threading.Thread(target=lambda: found.append(pair.read(data, query)))
    thread.start()
    try:
        act()
    finally:
        thread.join(60)
    (answer,) = found
    return answer


def splitters(pair: Pair) -> list[psutil.Process]:
    return pair.gateway.process.children(recursive=True)


@pytest.mark.fault(0, "A document's deadline passes while its pages are slow to take out")
def test_a_deadline_passes_while_pages_are_taken_out(pair_of: PairOf, record: Record) -> None:
    data = make.joined(*[make.sized(Split.SLOW, 300)] * 40)
    with pair_of(gateway=FAULTY_SPLITTER).running() as pair:
        began = time.monotonic()
        answer = record.answer(
            "a document of 40 such pages", pair.read(data, QUERY, headers={"x-request-timeout": "2"})
        )
        assert time.monotonic() - began < 4
        assert codes(answer)[-1] == "deadline_exceeded"
        record.also("no page is begun after it")
        record.whole(pair)


@pytest.mark.fault(0, "A page of a document crashes its worker, every time")
def test_a_page_that_crashes_workers(pair: Pair, record: Record) -> None:
    label = engines.slow(0)
    answer = record.answer(
        "a TIFF of three pages, its second the one", pair.read(tiff(label, engines.picture(Fault.SEGFAULT), label))
    )
    assert codes(answer) == ["ok", "worker_crashed", "ok"]
    assert answer.json["status"] == "partial"
    assert answer.json["pages"][1]["attempts"] == 3
    record.also("the other pages are read, the page is tried three times and counted once")
    record.whole(pair)


@pytest.mark.fault(0, "The splitter is killed in the middle of a document")
def test_the_splitter_is_killed(pair: Pair, record: Record) -> None:
    document = slow_pages(12, 0.2)

    def kill() -> None:
        pair.wait_until_working()
        killed = splitters(pair)
        assert killed
        for process in killed:
            os.kill(process.pid, signal.SIGKILL)

    answer = record.answer("the document, all of it", during(pair, document, kill))
    assert codes(answer) == ["ok"] * 12
    record.also("all pages are read")
    record.whole(pair)


BROKEN = {Split.SEGFAULT: "damaged_page", Split.SPIN: "page_too_complex", Split.EAT_MEMORY: "page_too_complex"}


@pytest.mark.slow
@pytest.mark.fault(0, "A page crashes the splitter, hangs it, fills it")
def test_a_page_that_breaks_the_splitter(pair_of: PairOf, record: Record) -> None:
    with pair_of(gateway=FAULTY_SPLITTER).running() as pair:
        for fault, code in BROKEN.items():
            answer = record.answer(fault.name.lower(), pair.read(label_pages(fault), QUERY))
            assert codes(answer) == ["ok", code, "ok"]
        alone = record.answer("alone, as text", pair.read(make.sized(Split.SPIN, 300), "?format=text"))
        assert (alone.status, alone.code) == (422, "pages_failed")
        assert [page["code"] for page in alone.json["pages"]] == ["page_too_complex"]
        record.also("the pages before and behind are read")
        record.whole(pair)


@pytest.mark.slow
@pytest.mark.fault(0, "The model server is killed in the middle of a document, and comes back")
def test_the_model_server_is_killed(pair_of: PairOf, record: Record) -> None:
    with pair_of().running() as pair:
        document = slow_pages(12, 0.3)

        def kill() -> None:
            pair.wait_until_working(2)
            pair.model.process.kill()
            pair.model.service.process.wait()
            pair.model.service.start().wait_ready()

        answer = record.answer("the document, all of it", during(pair, document, kill))
        assert codes(answer) == ["ok"] * 12
        attempts = [page["attempts"] for page in answer.json["pages"]]
        assert max(attempts) > 1, "what was being read is read again"
        assert pair.read(document, "?pages=1").status == 200
        pair.gateway.check_resources()
        pair.gateway.check_log()
    record.also("all pages are read")


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.fault(0, "The client goes in the middle of a document")
def test_the_client_goes(pair: Pair, record: Record, form: str) -> None:
    body = multipart(slow_pages(40, 0.3))
    with Wire(pair.gateway.port, upload_head(len(body), path=f"{GATEWAY_PATH}?format={form}"), body) as wire:
        pair.wait_until_working(2)
        if form == "ndjson":
            assert wire.socket.recv(1000).startswith(b"HTTP/1.1 200")
        wire.reset()
    began = time.monotonic()
    pair.gateway.count("client_gone")
    until(lambda: metrics(pair.gateway.service)["gateway_documents_in_flight"] == 0, "no document")
    record.saw(f"resets, {form} asked for", "all of it is stopped", time.monotonic() - began)
    record.also("splitter, calls and file are gone")
    record.whole(pair)
