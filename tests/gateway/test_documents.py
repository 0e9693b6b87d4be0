"""Reading documents through both services."""

from __future__ import annotations

import json

import httpx
import pytest

from api_gateway.schemas import OcrAnswer
from tests import readers
from tests.documents import make
from tests.gateway.test_operation import samples
from tests.pictures import render
from tests.pictures.accuracy import character_error_rate

DIGITAL = "Invoice 4711\nTotal amount 12.50"


@pytest.fixture(scope="module")
def mixed() -> bytes:
    """A born-digital page, a scan, a filled-in form, a rotated page."""
    return make.joined(
        make.digital(DIGITAL),
        make.scanned(render.page(1)),
        make.form("Name", "Jonathan"),
        make.upright(DIGITAL, 90),
    )


def ask(client: httpx.Client, document: bytes, **params: str) -> httpx.Response:
    response = client.post("/gateway/ocr", files={"image_file": ("x.pdf", document)}, params=params)
    assert response.status_code == 200, response.text
    return response


def test_a_mixed_document(gateway: httpx.Client, mixed: bytes) -> None:
    answer = OcrAnswer.model_validate_json(ask(gateway, mixed).content)
    assert (answer.status, answer.page_count) == ("complete", 4)
    assert [page.source for page in answer.pages] == ["embedded", "ocr", "mixed", "embedded"]
    assert [page.attempts for page in answer.pages] == [0, 1, 1, 0]
    assert {page.dpi for page in answer.pages} == {300}
    first, second, third, fourth = answer.pages
    assert first.text == fourth.text == DIGITAL + "\n"
    assert character_error_rate(render.page(1).text, second.text) < 0.01
    assert third.text.split() == ["Name", "Jonathan"]
    assert answer.text == "\f".join(page.text for page in answer.pages)
    words = [word for page in answer.pages for word in page.words]
    assert answer.confidence == pytest.approx(sum(word.confidence for word in words) / len(words), abs=0.01)
    for page in answer.pages:
        assert page.width
        assert page.height
        for word in page.words:
            x0, y0, x1, y1 = word.bbox
            assert 0 <= x0 < x1 <= page.width
            assert 0 <= y0 < y1 <= page.height


def test_recognised_all_the_same_on_request(gateway: httpx.Client) -> None:
    answer = OcrAnswer.model_validate_json(ask(gateway, make.digital(DIGITAL), text_layer="ignore").content)
    (page,) = answer.pages
    assert page.source == "ocr"
    assert page.text == DIGITAL + "\n"
    embedded = OcrAnswer.model_validate_json(ask(gateway, make.digital(DIGITAL)).content).pages[0]
    assert (page.width, page.height) == (embedded.width, embedded.height)
    for found, known in zip(page.words, embedded.words, strict=True):
        assert found.bbox == pytest.approx(known.bbox, abs=6), "recognised where the PDF says that it stands"


def test_a_document_of_embedded_text_alone_asks_no_model_server(gateway: httpx.Client) -> None:
    answer = OcrAnswer.model_validate_json(ask(gateway, make.digital(DIGITAL)).content)
    assert answer.model is None
    for name, read in readers.READERS.items():
        words = read(ask(gateway, make.digital(DIGITAL), format=name).content)
        assert [word.text for word in words] == DIGITAL.split(), name


def test_dpi(gateway: httpx.Client) -> None:
    page = ask(gateway, make.scanned(render.page(1)), dpi="150").json()["pages"][0]
    assert page["dpi"] == 150
    assert abs(page["width"] - 640) <= 1


@pytest.mark.parametrize("compression", ["tiff_lzw", "group4"])
def test_a_tiff_of_several_pages(gateway: httpx.Client, compression: str) -> None:
    pictures = [render.page(seed) for seed in (1, 2, 3)]
    if compression == "group4":
        pictures = [render.Picture(p.image.point([0] * 128 + [255] * 128, "1"), p.text, p.dpi) for p in pictures]
    answer = OcrAnswer.model_validate_json(ask(gateway, make.tiff(pictures, compression=compression)).content)
    assert answer.page_count == 3
    for page, picture in zip(answer.pages, pictures, strict=True):
        assert (page.width, page.height, page.dpi) == (*picture.image.size, 150)
        assert character_error_rate(picture.text, page.text) < 0.01


def test_every_format_of_a_document_holds_the_same_words(gateway: httpx.Client, mixed: bytes) -> None:
    found = {name: read(ask(gateway, mixed, format=name).content) for name, read in readers.READERS.items()}
    expected = found["json"]
    assert {word.page for word in expected} == {1, 2, 3, 4}
    for name, words in found.items():
        assert [word[:3] for word in words] == [word[:3] for word in expected], name
    assert ask(gateway, mixed, format="text").text.split() == [word.text for word in expected]


def test_a_searchable_pdf_of_a_document(gateway: httpx.Client) -> None:
    document = make.joined(make.digital(DIGITAL), make.scanned(render.page(1)))
    answer = OcrAnswer.model_validate_json(ask(gateway, document).content)
    response = ask(gateway, document, format="pdf")
    assert response.headers["content-type"] == "application/pdf"
    assert response.headers["content-disposition"] == 'inline; filename="ocr.pdf"'
    assert readers.pdf_words(response.content) == [[word.text for word in page.words] for page in answer.pages]
    read_again = OcrAnswer.model_validate_json(ask(gateway, response.content, text_layer="ignore").content)
    assert [page.text for page in read_again.pages[1:]] == [page.text for page in answer.pages[1:]], (
        "looks the same"
    )


def test_a_searchable_pdf_of_an_encrypted_one(gateway: httpx.Client) -> None:
    files = {"image_file": make.encrypted(make.digital(DIGITAL), "secret")}
    response = gateway.post("/gateway/ocr?format=pdf", files=files, data={"password": "secret"})
    assert readers.pdf_words(response.content) == [DIGITAL.split()]


def test_a_searchable_pdf_of_a_picture(gateway: httpx.Client, page_png: bytes) -> None:
    words = [word.text for word in OcrAnswer.model_validate_json(ask(gateway, page_png).content).pages[0].words]
    assert readers.pdf_words(ask(gateway, page_png, format="pdf").content) == [words]


def test_a_searchable_pdf_of_a_tiff(gateway: httpx.Client) -> None:
    document = make.tiff([render.page(1), render.page(2)])
    answer = OcrAnswer.model_validate_json(ask(gateway, document).content)
    made = ask(gateway, document, format="pdf").content
    assert readers.pdf_words(made) == [[word.text for word in page.words] for page in answer.pages]


def test_a_single_picture_as_ndjson(gateway: httpx.Client, label_png: bytes) -> None:
    page, closing = map(json.loads, ask(gateway, label_png, format="ndjson").text.splitlines())
    assert (page["page"], page["status"], page["source"], page["attempts"]) == (1, "ok", "ocr", 1)
    assert (closing["status"], closing["pages_ok"], closing["page_count"]) == ("complete", 1, 1)


def test_a_document_is_one_request_and_its_pages_are_counted(gateway: httpx.Client, mixed: bytes) -> None:
    before = samples(gateway)
    ask(gateway, mixed)
    after = samples(gateway)
    moved = {name: after[name] - value for name, value in before.items() if after[name] != value}
    assert moved["gateway_requests_total,contract=gateway,outcome=ok,status=200"] == 1
    assert moved["gateway_document_pages_total,outcome=ocr"] == 1
    assert moved["gateway_document_pages_total,outcome=mixed"] == 1
    assert moved["gateway_document_pages_total,outcome=embedded"] == 2
    assert moved["gateway_upstream_seconds_count"] == 2
