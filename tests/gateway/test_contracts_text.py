"""Each contract gives the text that /gateway/ocr gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from urllib.parse import quote

import httpx
import pytest

from tests.contracts import WAYS, counts, form
from tests.gateway.conftest import LABEL, PDF, PICTURE

FILES = {"picture": PICTURE, "pdf": PDF}


@pytest.fixture(scope="session")
def texts(red: httpx.Client) -> Mapping[str, list[str]]:
    """The text of each page, as our own route reads it."""
    found = {}
    for name, data in FILES.items():
        answer = red.post("/gateway/ocr", params={"languages": "auto"}, files={"image_file": data})
        assert answer.status_code == 200, answer.text
        found[name] = [page["text"] for page in answer.json()["pages"]]
    assert '"at" 100 %' in found["pdf"][0]
    assert found["picture"][0].split()
    return found


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("kind", FILES)
def test_the_text_is_that_of_our_own_route(
    red: httpx.Client, texts: Mapping[str, list[str]], name: str, kind: str
) -> None:
    way = WAYS[name]
    found = way.read(red, FILES[kind])
    assert found.text == way.pages(texts[kind])


PLAIN = 'Gr\u00fc\u00dfe, "Welt"\r\n\tzwei\n'


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain; charset=utf-8"},
        {"content-type": "application/json", "x-filename": "scan.pdf"},
        {"content-type": "application/octet-stream", "x-filename": quote("Gr\u00fc\u00dfe & so.txt")},
        {"content-type": "", "x-filename": "a%2Fb%2Ecsv"},
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_open_webui_gets_plain_text_back_as_it_is(
    red: httpx.Client, headers: dict[str, str], encoding: str
) -> None:
    answer = red.put("/process", content=PLAIN.encode(encoding), headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"page_content": PLAIN, "metadata": {}})


@pytest.mark.parametrize("name", ["scan.pdf", "scan", quote("\u00fc.txt.png")])
def test_open_webui_has_everything_else_read(red: httpx.Client, texts: Mapping[str, list[str]], name: str) -> None:
    headers = {"content-type": "application/octet-stream", "x-filename": name}
    assert red.put("/process", content=PICTURE, headers=headers).json()["page_content"] == texts["picture"][0]


@pytest.mark.parametrize(("data", "media_type"), [(PICTURE, "image/png"), (PDF, "application/pdf")])
def test_tika_says_what_a_file_is(red: httpx.Client, data: bytes, media_type: str) -> None:
    assert red.put("/meta", content=data).json()["Content-Type"] == media_type
    content_type, body = form(data, "upload")
    answer = red.post("/meta/form", content=body, headers={"content-type": content_type or ""})
    assert answer.json()["Content-Type"] == media_type


def test_tikas_greetings_and_json_on_request(red: httpx.Client, texts: Mapping[str, list[str]]) -> None:
    assert red.get("/version").text.startswith("Apache Tika")
    assert red.get("/tika").status_code == 200
    answer = red.put("/tika", content=PICTURE, headers={"accept": "application/json"})
    assert answer.json()["X-TIKA:content"] == texts["picture"][0]
    assert red.put("/rmeta", content=PDF).json()[0]["xmpTPg:NPages"] == "2"


def test_liteparse_gets_boxes_inside_the_picture(red: httpx.Client) -> None:
    content_type, body = form(PICTURE, language="en")
    answer = red.post("/liteparse/ocr", content=body, headers={"content-type": content_type or ""})
    assert answer.json()["results"]
    width, height = LABEL.image.size
    for word in answer.json()["results"]:
        left, top, right, bottom = word["bbox"]
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert 0 <= word["confidence"] <= 1


def test_the_counter_has_the_contract(red: httpx.Client) -> None:
    before = counts(red)
    for way in WAYS.values():
        assert way.read(red, PICTURE).status == 200
    seen = Counter((way.contract, 202 if way.asks_later else 200, "ok") for way in WAYS.values())
    assert counts(red) - before == seen
