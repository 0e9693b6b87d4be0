"""Clients of Apache Tika: tika-python and tika-client. Neither sends a key by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tika import parser
from tika_client import HttpStatusError, TikaClient

from tests.applications import files
from tests.applications.site import KEY, Site


@pytest.fixture
def client(open_site: Site) -> Iterator[TikaClient]:
    with TikaClient(open_site.url) as found:
        yield found


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "scan.pdf"
    path.write_bytes(files.scans())
    return path


@pytest.fixture
def text(open_site: Site) -> str:
    """That of `document`: a line between pages."""
    return "\n".join(open_site.pages(files.scans()))


def test_tika_python_reads_a_buffer(open_site: Site) -> None:
    found = parser.from_buffer(files.picture(), open_site.url)
    assert found["status"] == 200
    assert found["content"].strip() == open_site.text(files.picture()).strip() != ""
    assert found["metadata"]["xmpTPg:NPages"] == "1"


def test_tika_python_reads_a_file(open_site: Site, document: Path, text: str) -> None:
    assert parser.from_file(str(document), open_site.url)["content"].strip() == text.strip()


def test_tika_python_has_no_content_for_an_office_file(open_site: Site, tmp_path: Path) -> None:
    path = tmp_path / "letter.docx"
    path.write_bytes(files.office())
    assert parser.from_file(str(path), open_site.url) == {"metadata": None, "content": None, "status": 415}


def test_tika_python_can_be_given_a_key(site: Site) -> None:
    assert parser.from_buffer(files.picture(), site.url)["status"] == 401
    found = parser.from_buffer(files.picture(), site.url, headers={"Authorization": f"Bearer {KEY}"})
    assert found["content"].strip() == site.text(files.picture()).strip()


def test_tika_client_reads_a_file(client: TikaClient, document: Path, text: str) -> None:
    found = client.tika.as_text.from_file(document)
    assert found.content == text
    assert found.page_count == 2


def test_tika_client_reads_a_buffer(client: TikaClient, open_site: Site) -> None:
    assert client.tika.as_text.from_buffer(files.picture()).content == open_site.text(files.picture())


def test_tika_client_says_what_a_file_is(client: TikaClient, document: Path) -> None:
    assert client.metadata.from_file(document).type == "application/pdf"


def test_tika_client_reads_a_file_recursively(client: TikaClient, document: Path, text: str) -> None:
    assert [found.content for found in client.rmeta.as_text.from_file(document)] == [text]


@pytest.mark.parametrize(
    ("file", "status"), [(files.office(), 415), (files.damaged(), 422), (files.RECEIPTS.read_bytes(), 422)]
)
def test_tika_client_raises_the_status(client: TikaClient, tmp_path: Path, file: bytes, status: int) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(file)
    with pytest.raises(HttpStatusError) as caught:
        client.tika.as_text.from_file(path)
    assert caught.value.response.status_code == status
