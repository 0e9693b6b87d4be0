"""Requests that the gateway must distinguish: by language, by kind of file, by time."""

from __future__ import annotations

import select
import time
from typing import Any

import httpx
import pytest

from tests.documents import make
from tests.documents.conftest import Front
from tests.documents.stand_in import ModelServer, Verdict, until
from tests.documents.test_fanout import whole_again
from tests.faults.wire import Wire, multipart, upload_head
from tests.gateway.test_operation import samples
from tests.pictures import formats, render

URL = "/gateway/ocr"


@pytest.mark.parametrize("languages", ["xyz", "eng,xyz"])
def test_an_unknown_language_is_refused_before_the_body_is_read(pair: Any, languages: str) -> None:
    with Wire(pair.gateway.port, upload_head(10_000_000, path=f"{URL}?languages={languages}")) as wire:
        answer = wire.answer()
    assert (answer.status, answer.code) == (400, "unknown_language")
    assert "eng" in answer.json["detail"]


def test_an_unknown_language_is_refused_for_a_document_that_was_born_digital(gateway: httpx.Client) -> None:
    document = make.digital("No page of it is recognised")
    response = gateway.post(URL, files={"image_file": ("x", document)}, params={"languages": "xyz"})
    assert (response.status_code, response.json()["code"]) == (400, "unknown_language")
    assert gateway.post(URL, files={"image_file": ("x", document)}).status_code == 200


def test_the_refusal_of_a_picture_says_nothing_about_a_document(front: Front) -> None:
    def full(_width: int, _times: int) -> Verdict | None:
        return 429, {"error": "full", "code": "overloaded"}, {"Retry-After": "1"}

    picture = formats.FORMATS["png grey"].encode(render.label(1))
    document = make.digital("Its text needs no model server")
    with front(ModelServer(verdict=full)) as gateway:
        seen = []
        for _ in range(5):
            assert gateway.post(URL, files={"image_file": ("x", picture)}).json()["code"] == "overloaded"
            seen.append(gateway.post(URL, files={"image_file": ("x", document)}).status_code)
        assert seen == [200] * 5


def test_a_tiff_of_one_page_has_the_time_of_a_picture_and_says_its_resolution(front: Front) -> None:
    tiff = formats.FORMATS["tiff grey"].encode(render.label(1))
    body = multipart(tiff)
    with front(ModelServer(), REQUEST_TIMEOUT_SECONDS="1", SHUTDOWN_GRACE_SECONDS="1") as gateway:
        began = time.monotonic()
        with Wire(gateway.service.port, upload_head(len(body)) + body[:200]) as wire:
            answer = wire.answer()
        assert (answer.status, answer.code) == (408, "upload_too_slow")
        assert time.monotonic() - began < 5, "an hour is for documents"
        page = gateway.post(URL, files={"image_file": ("x", tiff)}).json()["pages"][0]
        assert page["dpi"] == pytest.approx(render.label(1).dpi, abs=1)


def test_pages_name_the_engine_that_read_them(front: Front) -> None:
    first, second = ModelServer(), ModelServer(version="other")
    with front(first, second) as gateway:
        pages = make.joined(*[make.sized(100, 50)] * 8)
        answer = gateway.post(URL, files={"image_file": ("x", pages)}, params={"dpi": "72"}).json()
        assert {page["model"]["tesseract"] for page in answer["pages"]} == {"0", "other"}
        assert answer["model"] is None
    with front(first) as gateway:
        answer = gateway.post(URL, files={"image_file": ("x", pages)}, params={"dpi": "72"}).json()
        assert answer["model"] == answer["pages"][0]["model"]
        assert answer["model"]["tesseract"] == "0"


def test_a_pdf_that_trickles_gives_its_place_back(front: Front) -> None:
    """Bytes arrive without a pause but too slowly: a document's hour is for reading pages, not for its upload."""
    document = make.digital("x") + b"\n%" + bytes(100_000)
    body = multipart(document)
    with front(ModelServer(), MAX_DOCUMENTS="1", BODY_IDLE_TIMEOUT_SECONDS="1") as gateway:
        with Wire(gateway.service.port, upload_head(len(body)) + body[:2000]) as wire:
            until(lambda: samples(gateway)["gateway_documents_in_flight"] == 1)
            refused = gateway.post(URL, files={"image_file": ("x", document)})
            assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
            began = time.monotonic()
            while wire.socket not in select.select([wire.socket], [], [], 0.1)[0]:
                wire.say(b"x")
                assert time.monotonic() - began < 10
            answer = wire.answer()
        assert (answer.status, answer.code) == (408, "upload_too_slow")
        whole_again(gateway)
        assert gateway.post(URL, files={"image_file": ("x", document)}).status_code == 200


def test_a_client_that_reads_nothing_is_dropped_and_leaves_nothing(front: Front) -> None:
    pages = make.joined(*[make.sized(100, 50)] * 40)
    body = multipart(pages)
    with (
        front(ModelServer(words=3000), BODY_IDLE_TIMEOUT_SECONDS="1") as gateway,
        Wire(gateway.service.port, upload_head(len(body), path=f"{URL}?dpi=72&format=hocr"), body),
    ):
        until(lambda: '"outcome":"client_too_slow"' in gateway.log.read_text(), 30)
        whole_again(gateway)
