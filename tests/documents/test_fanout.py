"""A document's pages at the model servers: spreading, repeated calls, failures; stand-ins decide the outcomes."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest

from tests import readers
from tests.documents import make
from tests.documents.conftest import Front, Gateway
from tests.documents.stand_in import ModelServer, Verdict, until
from tests.faults.wire import FORM, Wire, multipart, upload_head
from tests.gateway.test_operation import samples

URL = "/gateway/ocr"
DPI = {"dpi": "72"}  # so that a page has as many pixels as points


def document(*widths: float) -> bytes:
    """A blank page of each width; a stand-in identifies pages by their width."""
    return make.joined(*(make.sized(width, 50) for width in widths))


def send(gateway: Gateway, data: bytes, **params: str) -> httpx.Response:
    return gateway.post(URL, files={"image_file": ("x", data)}, params={**DPI, **params})


def pages(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["pages"]
    return found


def overloaded(_width: int, times: int) -> Verdict | None:
    return (429, {"error": "full", "code": "overloaded"}, {"Retry-After": "1"}) if times < 1 else None


def broken(status: int, code: str, *, times: int = 99, width: int = 101) -> Any:
    """A verdict on the page of that width, for the first few calls."""

    def verdict(found: int, before: int) -> Verdict | None:
        return (status, {"error": "broken", "code": code}, {}) if found == width and before < times else None

    return verdict


@pytest.fixture(scope="module")
def server() -> ModelServer:
    return ModelServer()


@pytest.fixture(scope="module")
def shared(front: Front, server: ModelServer) -> Any:
    with front(server, REQUEST_TIMEOUT_SECONDS="2") as started:
        yield started


@pytest.fixture
def gateway(shared: Gateway, server: ModelServer) -> Gateway:
    fresh = ModelServer()
    fresh.begin()
    vars(server).update({key: value for key, value in vars(fresh).items() if key != "_worker"})
    return shared


def test_pages_come_in_order_whatever_each_takes(gateway: Gateway, server: ModelServer) -> None:
    server.seconds = 0.02
    found = pages(send(gateway, document(*range(100, 120))))
    assert [page["text"] for page in found] == [f"w{width}\n" for width in range(100, 120)]
    assert [page["page"] for page in found] == list(range(1, 21))
    assert {(page["status"], page["source"], page["attempts"]) for page in found} == {("ok", "ocr", 1)}


def test_a_page_goes_behind_single_pictures_under_an_id_of_its_own(gateway: Gateway, server: ModelServer) -> None:
    response = gateway.post(
        URL, files={"image_file": ("x", document(100, 101))}, params=DPI, headers={"x-request-id": "mine"}
    )
    assert response.json()["request_id"] == "mine"
    assert {headers["x-priority"] for headers, _ in server.calls} == {"document"}
    assert {headers["x-request-id"] for headers, _ in server.calls} == {"mine.1", "mine.2"}
    assert all(float(headers["x-request-timeout"]) <= 2 for headers, _ in server.calls)


def test_a_page_that_is_refused_is_put_back_and_that_counts_as_nothing(
    gateway: Gateway, server: ModelServer
) -> None:
    server.verdict = overloaded
    began = time.monotonic()
    found = pages(send(gateway, document(100, 101, 102)))
    assert [page["attempts"] for page in found] == [1, 1, 1]
    assert 1 <= time.monotonic() - began < 8, "Retry-After is waited for"


@pytest.mark.parametrize("code", ["worker_crashed", "out_of_memory", "engine_failed", "worker_failed"])
def test_a_page_that_fails_for_a_passing_reason_is_tried_again(
    gateway: Gateway, server: ModelServer, code: str
) -> None:
    server.verdict = broken(503, code, times=2)
    assert [page["attempts"] for page in pages(send(gateway, document(100, 101, 102)))] == [1, 3, 1]


def test_a_page_fails_after_three_attempts_and_is_counted_once(gateway: Gateway, server: ModelServer) -> None:
    server.verdict = broken(503, "worker_crashed")
    before = samples(gateway)
    response = send(gateway, document(100, 101, 102))
    answer = response.json()
    assert answer["status"] == "partial"
    bad = answer["pages"][1]
    assert (bad["status"], bad["code"], bad["attempts"], bad["text"]) == ("failed", "worker_crashed", 3, "")
    assert (bad["width"], bad["height"], bad["dpi"]) == (101, 50, 72)
    assert [page["status"] for page in answer["pages"]] == ["ok", "failed", "ok"]
    assert response.headers["x-failed-pages"] == "2"
    after = samples(gateway)
    moved = {name: after[name] - before[name] for name in after if name.startswith("gateway_document")}
    assert {name: value for name, value in moved.items() if value} == {
        "gateway_document_pages_total,outcome=ocr": 2,
        "gateway_document_pages_total,outcome=worker_crashed": 1,
    }
    assert answer["text"] == "w100\n\f\fw102\n"


def test_what_is_the_pages_own_fault_is_not_tried_again(gateway: Gateway, server: ModelServer) -> None:
    server.verdict = broken(422, "damaged_image")
    bad = pages(send(gateway, document(100, 101)))[1]
    assert (bad["code"], bad["attempts"]) == ("damaged_image", 1)


def test_what_is_the_requests_fault_fails_the_request(gateway: Gateway, server: ModelServer) -> None:
    server.verdict = broken(400, "unknown_language", width=100)
    for form in ("json", "ndjson"):
        response = send(gateway, document(100, 101, 102), languages="xyz", format=form)
        assert (response.status_code, response.json()["code"]) == (400, "unknown_language")


@pytest.mark.parametrize("name", ["text", "hocr", "alto", "tsv"])
def test_a_failed_page_fails_the_other_formats_unless_allowed(
    gateway: Gateway, server: ModelServer, name: str
) -> None:
    server.verdict = broken(422, "damaged_image")
    response = send(gateway, document(100, 101, 102), format=name)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "pages_failed")
    assert problem["pages"] == [{"page": 2, "code": "damaged_image", "detail": "broken"}]
    server.verdict = broken(503, "worker_crashed")
    assert send(gateway, document(100, 101, 102), format=name).status_code == 503


def test_text_without_the_failed_pages_on_request(gateway: Gateway, server: ModelServer) -> None:
    server.verdict = broken(422, "damaged_image")
    response = send(gateway, document(100, 101, 102), format="text", allow_partial="true")
    assert response.text == "w100\n\f\fw102\n"
    assert response.headers["x-failed-pages"] == "2"
    assert send(gateway, document(101), format="text", allow_partial="true").status_code == 422, "nothing is left"


def test_the_deadline_ends_a_document_with_what_there_is(gateway: Gateway, server: ModelServer) -> None:
    server.seconds = 0.2
    began = time.monotonic()
    response = gateway.post(
        URL,
        files={"image_file": ("x", document(*range(100, 140)))},
        params=DPI,
        headers={"x-request-timeout": "1.5"},
    )
    assert time.monotonic() - began < 3
    found = pages(response)
    codes = [page.get("code", "ok") for page in found]
    assert set(codes) == {"ok", "deadline_exceeded"}
    assert 3 <= codes.count("ok") <= 7


def test_a_page_that_takes_too_long_is_given_up_after_two_tries(gateway: Gateway, server: ModelServer) -> None:
    server.verdict = broken(504, "deadline_exceeded")
    bad = pages(send(gateway, document(100, 101)))[1]
    assert (bad["code"], bad["attempts"]) == ("deadline_exceeded", 2)


@pytest.mark.parametrize("name", ["hocr", "alto", "tsv"])
def test_other_formats_without_the_failed_pages(gateway: Gateway, server: ModelServer, name: str) -> None:
    server.verdict = broken(422, "damaged_image")
    response = send(gateway, joined_with_a_page_of_no_size(), format=name, allow_partial="true")
    assert response.headers["x-failed-pages"] == "2,3"
    words = readers.READERS[name](response.content)
    assert [(word.page, word.text) for word in words] == [(1, "w100"), (4, "w102")]
    if name != "tsv":
        assert "page 2 could not be read: damaged_image" in response.text
        assert "page 3 could not be read: page_too_large" in response.text


def joined_with_a_page_of_no_size() -> bytes:
    return make.joined(document(100, 101), make.sized(14000, 14000), document(102))


def test_a_server_that_dies_leaves_its_pages_to_the_other(front: Front) -> None:
    first, second = ModelServer(0.05), ModelServer(0.05)
    with front(first, second) as gateway, ThreadPoolExecutor(1) as pool:
        going = pool.submit(send, gateway, document(*range(100, 130)))
        until(lambda: len(second.calls) >= 5)
        second.alive = False
        found = pages(going.result())
    assert {page["status"] for page in found} == {"ok"}
    assert max(page["attempts"] for page in found) > 1


# Streaming


def test_pages_are_streamed_as_they_are_read(gateway: Gateway, server: ModelServer) -> None:
    server.seconds = 0.1
    arrivals = []
    with gateway.stream(
        "POST", URL, files={"image_file": ("x", document(*range(100, 112)))}, params={**DPI, "format": "ndjson"}
    ) as response:
        assert response.headers["content-type"] == "application/x-ndjson"
        began = time.monotonic()
        lines = []
        for line in response.iter_lines():
            lines.append(json.loads(line))
            arrivals.append(time.monotonic() - began)
    *found, closing = lines
    assert [page["page"] for page in found] == list(range(1, 13))
    assert arrivals[0] < 0.3
    assert arrivals[-2] > 0.9, "one page at a time is read here"
    assert closing["status"] == "complete"
    assert (closing["page_count"], closing["pages_ok"], closing["pages_failed"]) == (12, 12, 0)
    assert (closing["words"], closing["confidence"]) == (12, 90.0)
    assert closing["model"]["engine"] == "tesseract"


def test_a_stream_says_which_page_failed(gateway: Gateway, server: ModelServer) -> None:
    server.verdict = broken(422, "damaged_image")
    response = send(gateway, document(100, 101, 102), format="ndjson")
    *found, closing = map(json.loads, response.text.splitlines())
    assert [page.get("code") for page in found] == [None, "damaged_image", None]
    assert (closing["status"], closing["pages_ok"], closing["pages_failed"]) == ("partial", 2, 1)


def test_what_fails_before_the_first_line_is_a_plain_answer(gateway: Gateway) -> None:
    for data, code in ((b"%PDF-1.4", "damaged_document"), (make.encrypted(document(9), "x"), "password_required")):
        response = send(gateway, data, format="ndjson")
        assert (response.status_code, response.json()["code"]) == (422, code)
        assert response.headers["content-type"] == "application/problem+json"


def whole_again(gateway: Gateway) -> None:
    """No document has left a process, a file or a used place."""
    process = psutil.Process(gateway.service.pid)
    until(lambda: not process.children(recursive=True))
    until(lambda: not [*gateway.spool.iterdir()])
    until(lambda: samples(gateway)["gateway_in_flight"] == samples(gateway)["gateway_documents_in_flight"] == 0)


@pytest.mark.parametrize("query", ["?dpi=72", "?dpi=72&format=ndjson"])
def test_the_client_gone_ends_everything(gateway: Gateway, server: ModelServer, query: str) -> None:
    server.seconds = 0.3
    body = multipart(document(*range(100, 200)))
    with Wire(gateway.service.port, upload_head(len(body), path=URL + query), body) as wire:
        until(lambda: len(server.calls) >= 3)
        if "ndjson" in query:
            assert wire.socket.recv(4096).startswith(b"HTTP/1.1 200")
        wire.reset()
    whole_again(gateway)
    until(lambda: server.at_once == 0)
    assert server.gone >= 1
    assert len(server.calls) < 20
    assert '"outcome":"client_gone"' in gateway.log.read_text()


def test_a_client_that_does_not_read_stops_the_reading_of_pages(gateway: Gateway, server: ModelServer) -> None:
    server.words = 3000
    data = document(*range(100, 400))
    body = multipart(data)
    with Wire(gateway.service.port) as wire:
        wire.say(upload_head(len(body), path=URL + "?dpi=72&format=ndjson"))
        wire.say(body)
        until(lambda: len(server.calls) >= 100)
        count = 0
        while count != len(server.calls):
            count = len(server.calls)
            time.sleep(0.5)
        assert count < 300
        wire.reset()
    whole_again(gateway)


# Limits, and the form


def test_a_small_document_and_one_on_disk(gateway: Gateway) -> None:
    small = document(100)
    for data in (small, small + b"\n%" + b"x" * (3 << 20)):
        assert [page["text"] for page in pages(send(gateway, data))] == ["w100\n"]
    whole_again(gateway)


def test_a_password_is_a_field_of_the_form_before_or_behind_the_file(gateway: Gateway) -> None:
    data = make.encrypted(document(100), "s3cr3t-pässword")
    parts: list[Any] = [("image_file", ("x", data)), ("password", (None, "s3cr3t-pässword"))]
    for files in (parts, parts[::-1]):
        assert [page["text"] for page in pages(gateway.post(URL, files=files, params=DPI))] == ["w100\n"]
    wrong = gateway.post(URL, files={"image_file": ("x", data)}, data={"password": "wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong_password")
    assert "s3cr3t" not in gateway.log.read_text()


def test_pages_of_a_document_in_the_order_asked_for(gateway: Gateway) -> None:
    answer = send(gateway, document(*range(100, 110)), pages="7,2-3").json()
    assert [page["page"] for page in answer["pages"]] == [7, 2, 3]
    assert answer["text"] == "w106\n\fw101\n\fw102\n"
    assert (answer["status"], answer["page_count"]) == ("complete", 10)


def test_limits(front: Front) -> None:
    limits = {
        "MAX_PAGES": "3",
        "MAX_DOCUMENT_MIB": "2",
        "MAX_UPLOAD_MIB": "1",
        "MAX_PAGE_POINTS": "300",
        "MAX_PAGE_MEGAPIXELS": "0.02",
        "MAX_DOCUMENTS": "1",
    }
    server = ModelServer()
    with front(server, **limits) as gateway:
        response = send(gateway, document(*range(100, 104)))
        assert (response.status_code, response.json()["code"]) == (422, "too_many_pages")
        assert len(pages(send(gateway, document(*range(100, 104)), pages="2-4"))) == 3
        wide = pages(send(gateway, document(100, 301, 102)))
        assert [page.get("code") for page in wide] == [None, "page_too_large", None]
        sharp = pages(gateway.post(URL, files={"image_file": ("x", document(290, 100))}, params={"dpi": "100"}))
        assert [page.get("code") for page in sharp] == ["too_many_pixels", None]
        large = document(100) + b"%" * (2 << 20)
        assert send(gateway, large).json()["code"] == "document_too_large"
        picture = b"\x89PNG" + bytes(3 << 19)
        assert send(gateway, picture).json()["code"] == "image_too_large"
        server.seconds = 5
        body = multipart(document(100))
        with Wire(gateway.service.port, upload_head(len(body), path=URL + "?dpi=72"), body) as wire:
            until(lambda: samples(gateway)["gateway_documents_in_flight"] == 1)
            response = send(gateway, document(100))
            assert (response.status_code, response.json()["code"]) == (429, "overloaded")
            assert "retry-after" in response.headers
            wire.reset()
        whole_again(gateway)


def test_what_a_killed_gateway_left_is_swept_at_the_next_start(front: Front, tmp_path: Any) -> None:
    ended = psutil.Popen(["true"])
    ended.wait()
    left = tmp_path / f"ocr-document-{ended.pid}-abc"
    left.mkdir()
    (left / "document").write_bytes(b"secret")
    others = tmp_path / "somebody else's"
    others.mkdir()
    with front(ModelServer(), SPOOL_DIR=str(tmp_path)):
        assert [*tmp_path.iterdir()] == [others]


def test_headers_of_the_form(gateway: Gateway) -> None:
    both = gateway.post(URL, content=b"", headers={"content-type": FORM})
    assert both.json()["code"] == "no_file"
    alone = gateway.post(URL, files={"password": (None, "x")})
    assert (alone.status_code, alone.json()["code"]) == (400, "no_file")
