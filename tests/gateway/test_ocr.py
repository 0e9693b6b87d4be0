"""Reading pictures through both services."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import httpx
import pytest

from api_gateway.schemas import OcrAnswer
from tests.conftest import png
from tests.pictures import formats, render
from tests.pictures.accuracy import character_error_rate


def send(client: httpx.Client, picture: bytes, **options: object) -> httpx.Response:
    return client.post("/gateway/ocr", files={"image_file": ("x", picture)}, **options)  # type: ignore[arg-type]


def test_a_page_gives_its_text_words_and_boxes(gateway: httpx.Client, page: render.Picture) -> None:
    response = send(gateway, png(page))
    assert response.status_code == 200
    answer = OcrAnswer.model_validate_json(response.content)
    assert character_error_rate(page.text, answer.text) < 0.01
    assert answer.page_count == 1
    (read,) = answer.pages
    assert (read.page, read.status, read.width, read.height) == (1, "ok", *page.image.size)
    assert read.text == answer.text
    assert read.text.split() == [word.text for word in read.words]
    assert read.confidence is not None
    assert read.confidence == pytest.approx(
        sum(word.confidence for word in read.words) / len(read.words), abs=0.01
    )
    assert read.width is not None
    assert read.height is not None
    for word in read.words:
        x0, y0, x1, y1 = word.bbox
        assert 0 <= x0 < x1 <= read.width
        assert 0 <= y0 < y1 <= read.height
        darkest = min(page.image.crop(word.bbox).tobytes())
        assert darkest < 128, f"nothing is printed where {word.text} should be"
    lines = {(word.block, word.paragraph, word.line) for word in read.words}
    assert len(lines) == len([line for line in read.text.split("\n") if line])


def test_the_answer_names_what_read_it(gateway: httpx.Client, label_png: bytes) -> None:
    response = send(gateway, label_png, params={"languages": "eng,deu"})
    model = OcrAnswer.model_validate_json(response.content).model
    assert model is not None
    assert (model.name, model.engine, model.languages) == ("ocr-model", "auto", ["eng", "deu"])
    data = Path(sys.prefix) / "share" / "tessdata"
    assert model.traineddata == {
        name: hashlib.sha256((data / f"{name}.traineddata").read_bytes()).hexdigest() for name in ("eng", "deu")
    }


@pytest.mark.parametrize(
    "options", [{"params": {"format": "text"}}, {"headers": {"accept": "text/plain"}}], ids=["query", "accept"]
)
def test_plain_text_on_request(gateway: httpx.Client, label: render.Picture, options: dict[str, object]) -> None:
    response = send(gateway, png(label), **options)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.split() == label.text.split()


def test_the_query_decides_against_the_header(gateway: httpx.Client, label_png: bytes) -> None:
    response = send(gateway, label_png, params={"format": "json"}, headers={"accept": "text/plain"})
    assert response.headers["content-type"] == "application/json"


def test_a_form_as_a_browser_sends_it(gateway: httpx.Client, label_png: bytes) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="image_file"; filename="b\xc3\xa4r \\"1\\".png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + label_png + b"\r\n--x--\r\n"
    )
    response = gateway.post(
        "/gateway/ocr", content=body, headers={"content-type": 'multipart/form-data; boundary="x"'}
    )
    assert response.status_code == 200


def test_a_chunked_upload(gateway: httpx.Client, label_png: bytes) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="image_file"\r\n\r\n',
        label_png[:100],
        label_png[100:],
        b"\r\n--x--\r\n",
    )
    response = gateway.post(
        "/gateway/ocr", content=iter(body), headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert response.status_code == 200


def test_an_empty_page_has_no_words(gateway: httpx.Client) -> None:
    blank = render.Picture(render.label(1).image.point(lambda _: 255), "", 200)
    answer = OcrAnswer.model_validate_json(send(gateway, png(blank)).content)
    assert (answer.text, answer.confidence, answer.pages[0].words) == ("", None, [])


def test_several_pages_are_counted_and_the_first_is_read(gateway: httpx.Client, label: render.Picture) -> None:
    animated = formats.FORMATS["gif animated"].encode(label)
    answer = OcrAnswer.model_validate_json(send(gateway, animated).content)
    assert answer.page_count == 2
    assert answer.text.split() == label.text.split()


def test_languages(gateway: httpx.Client) -> None:
    answer = gateway.get("/gateway/languages").json()
    assert {"deu", "eng", "fra", "chi_sim"} <= set(answer["languages"])
    assert set(answer["formats"]) == {"png", "jpeg", "tiff", "webp", "bmp", "gif", "pnm", "heic", "avif"}


def test_a_turned_page_is_read_with_psm_1(gateway: httpx.Client) -> None:
    page = render.a4(3, 200)
    turned = render.Picture(page.image.rotate(180, expand=True), page.text, page.dpi)
    answer = OcrAnswer.model_validate_json(send(gateway, png(turned), params={"psm": "1"}).content)
    assert character_error_rate(page.text, answer.text) < 0.02
