"""One picture in every format, from the real services."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest

from api_gateway.formats import FORMATS, Name
from tests import needs, readers
from tests.conftest import png
from tests.pictures import render

TESSDATA = Path(sys.prefix) / "share" / "tessdata"


def ask(client: httpx.Client, picture: bytes, name: Name, **headers: str) -> httpx.Response:
    params = {} if headers else {"format": name}
    response = client.post(
        "/gateway/ocr", files={"image_file": ('"x\r\n.png', picture)}, params=params, headers=headers
    )
    assert response.status_code == 200, response.text
    return response


@pytest.mark.parametrize("picture", [render.page(1), render.receipt(1)], ids=["page", "receipt"])
def test_every_format_holds_the_same_words(gateway: httpx.Client, picture: render.Picture) -> None:
    upload = png(picture)
    found = {name: read(ask(gateway, upload, name).content) for name, read in readers.READERS.items()}  # type: ignore[arg-type]
    expected = found["json"]
    assert len(expected) > 20
    for name, words in found.items():
        assert [word[:3] for word in words] == [word[:3] for word in expected], name
        assert [word.confidence for word in words] == pytest.approx(
            [word.confidence for word in expected], abs=0.51
        )
    assert ask(gateway, upload, "text").text.split() == [word.text for word in expected]


@pytest.mark.parametrize("name", list(FORMATS))
def test_by_query_and_by_header(gateway: httpx.Client, label_png: bytes, name: Name) -> None:
    known = FORMATS[name]
    asked = ask(gateway, label_png, name)
    negotiated = ask(gateway, label_png, name, accept=f"{known.media_type}, */*;q=0.1")
    for response in (asked, negotiated):
        assert response.headers["content-type"].removesuffix("; charset=utf-8") == known.media_type
        assert response.headers["content-disposition"] == f'inline; filename="ocr.{known.suffix}"'
    if name == "json":
        assert asked.json()["text"] == negotiated.json()["text"]
    elif name == "alto":  # it contains the request's id
        assert asked.headers["x-request-id"] in asked.text
        assert readers.alto_words(asked.content) == readers.alto_words(negotiated.content)
    elif name == "ndjson":
        assert readers.ndjson_words(asked.content) == readers.ndjson_words(negotiated.content)
    elif name == "pdf":
        assert readers.pdf_words(asked.content) == readers.pdf_words(negotiated.content)
    else:
        assert asked.content == negotiated.content


@pytest.mark.parametrize("name", list(FORMATS))
def test_an_empty_page(gateway: httpx.Client, blank_png: bytes, name: Name) -> None:
    content = ask(gateway, blank_png, name).content
    if name == "text":
        assert content == b""
    elif name == "pdf":
        assert readers.pdf_words(content) == [[]]
    else:
        assert readers.READERS[name](content) == []


@pytest.mark.parametrize(
    "picture", [render.label(1), render.page(1), render.receipt(1)], ids=["label", "page", "receipt"]
)
def test_tsv_is_what_tesseract_writes(gateway: httpx.Client, picture: render.Picture, tmp_path: Path) -> None:
    program = needs.program("tesseract", "Debian: tesseract-ocr")
    upload = png(picture)
    query = {"format": "tsv", "engine": "tesseract"}
    response = gateway.post("/gateway/ocr", files={"image_file": ("x.png", upload)}, params=query)
    ours = readers.tsv_rows(response.content)
    (tmp_path / "x.png").write_bytes(upload)
    command = [program, "x.png", "stdout", "--tessdata-dir", str(TESSDATA), "-c", "tessedit_create_tsv=1"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "OMP_THREAD_LIMIT": "1"}, capture_output=True, check=True
    )
    theirs = readers.tsv_rows(done.stdout)
    assert ours[0].keys() == theirs[0].keys()
    for one, other in zip(ours, theirs, strict=True):
        assert one.pop("conf") == pytest.approx(other.pop("conf"), abs=5)  # two versions of Tesseract
        assert one == other


def test_a_browser_shows_hocr_as_the_picture_reads(gateway: httpx.Client, page: render.Picture) -> None:
    response = ask(gateway, png(page), "hocr")
    root = ET.fromstring(response.content)
    lines = [" ".join("".join(line.itertext()).split()) for line in readers.with_class(root, "ocr_line")]
    assert lines == page.text.split("\n")
