"""Mistral's own client of its OCR."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import MistralError

from tests.applications import files
from tests.applications.site import KEY, Site

MODEL = "mistral-ocr-latest"


def client_at(url: str, key: str = KEY) -> Mistral:
    return Mistral(api_key=key, server_url=url)


@pytest.fixture
def client(site: Site) -> Mistral:
    return client_at(site.url)


def data_url(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def uploaded(client: Mistral, content: bytes) -> Any:
    return client.files.upload(file={"file_name": "scan.pdf", "content": content}, purpose="ocr")


def read(client: Mistral, kind: str, url: str, **more: Any) -> list[tuple[int, str]]:
    """Each page's index and text."""
    answer = client.ocr.process(model=MODEL, document={"type": kind, kind: url}, **more)
    assert answer.usage_info.pages_processed == len(answer.pages)
    return [(page.index, page.markdown) for page in answer.pages]


def test_a_pdf_in_the_request(client: Mistral, site: Site) -> None:
    found = read(client, "document_url", data_url(files.PDF, files.scans()))
    assert found == list(enumerate(site.pages(files.scans())))


def test_a_picture_in_the_request(client: Mistral, site: Site) -> None:
    found = read(client, "image_url", data_url(files.PNG, files.picture()))
    assert found == [(0, site.text(files.picture()))]


def test_a_file_that_was_uploaded_before(client: Mistral, site: Site) -> None:
    file = uploaded(client, files.scans())
    url = client.files.get_signed_url(file_id=file.id).url
    assert read(client, "document_url", url) == list(enumerate(site.pages(files.scans())))
    assert client.files.delete(file_id=file.id).deleted
    with pytest.raises(MistralError, match="There is no such file"):
        read(client, "document_url", url)


def test_a_file_that_was_uploaded_before_by_its_id(client: Mistral, site: Site) -> None:
    file = uploaded(client, files.scans())
    answer = client.ocr.process(model=MODEL, document={"type": "file", "file_id": file.id})
    assert [page.markdown for page in answer.pages] == site.pages(files.scans())
    assert client.files.retrieve(file_id=file.id).size_bytes == len(files.scans())


def test_only_the_pages_that_are_asked_for(client: Mistral, site: Site) -> None:
    found = read(client, "document_url", data_url(files.PDF, files.scans(3)), pages=[1, 2])
    assert found == list(enumerate(site.pages(files.scans(3))))[1:]


@pytest.mark.parametrize(
    ("url", "status", "text"),
    [
        (data_url(files.PDF, files.damaged()), 422, "The document is damaged or cannot be read."),
        (data_url(files.PDF, files.RECEIPTS.read_bytes()), 422, "could not be read"),
        (data_url(files.DOCX, files.office()), 415, "not Office documents"),
        ("https://example.com/a.pdf", 400, "neither a data URL with base64 nor the address of an uploaded file"),
    ],
)
def test_an_error_says_what_is_wrong(client: Mistral, url: str, status: int, text: str) -> None:
    with pytest.raises(MistralError, match=text) as caught:
        read(client, "document_url", url)
    assert caught.value.status_code == status


def test_annotations_are_refused(client: Mistral) -> None:
    with pytest.raises(MistralError, match="document_annotation_format is not supported"):
        read(
            client,
            "document_url",
            data_url(files.PDF, files.scans()),
            document_annotation_format={"type": "json_object"},
        )


def test_a_wrong_key_is_refused(site: Site) -> None:
    with pytest.raises(MistralError, match="An API key is required") as caught:
        uploaded(client_at(site.url, "wrong"), files.scans())
    assert caught.value.status_code == 401
