"""Open WebUI's loaders with each engine that can be this service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.applications import files, open_webui
from tests.applications.site import KEY, Site

Add = Callable[..., list[str]]


def loader(engine: str, url: str, key: str = KEY) -> Any:
    config = {
        "external": {"external_document_loader_url": url, "external_document_loader_api_key": key},
        "tika": {"tika_server_url": url},
        "document_intelligence": {"document_intelligence_endpoint": url, "document_intelligence_key": key},
        "mistral_ocr": {"mistral_ocr_api_base_url": f"{url}/v1", "mistral_ocr_api_key": key},
    }
    return open_webui.loader(engine, **config[engine])


@pytest.fixture
def add(site: Site, open_site: Site, tmp_path: Path) -> Add:
    """What Open WebUI keeps of a file that its user adds."""

    def added(engine: str, name: str, media_type: str, content: bytes, key: str = KEY) -> list[str]:
        path = tmp_path / name
        path.write_bytes(content)
        url = open_site.url if engine == "tika" else site.url
        return [found.page_content for found in loader(engine, url, key).load(name, media_type, str(path))]

    return added


@pytest.mark.parametrize("engine", ["external", "tika"])
def test_a_picture(add: Add, site: Site, engine: str) -> None:
    [found] = add(engine, "Étiquette 1.png", files.PNG, files.picture())
    assert found.strip() == site.text(files.picture()).strip() != ""


@pytest.mark.parametrize("engine", ["external", "tika"])
def test_a_pdf_is_one_text(add: Add, site: Site, engine: str) -> None:
    [found] = add(engine, "scan.pdf", files.PDF, files.scans())
    assert found.strip() == "\n".join(site.pages(files.scans())).strip()


def test_a_pdf_by_azure_has_marks_between_pages(add: Add, site: Site) -> None:
    [found] = add("document_intelligence", "scan.pdf", files.PDF, files.scans())
    assert found.split("\n<!-- PageBreak -->\n\n") == site.pages(files.scans())


def test_a_pdf_by_mistral_is_a_text_a_page(add: Add, site: Site) -> None:
    found = add("mistral_ocr", "scan.pdf", files.PDF, files.scans())
    assert found == [page.strip() for page in site.pages(files.scans())]


def test_mistral_leaves_nothing_behind(add: Add, site: Site) -> None:
    def jobs() -> list[str]:
        return [job["id"] for job in site.client.get("/gateway/jobs", params={"limit": "100"}).json()["jobs"]]

    before = jobs()
    add("mistral_ocr", "scan.pdf", files.PDF, files.scans(1))
    assert jobs() == before


@pytest.mark.parametrize("engine", ["external", "tika", "document_intelligence", "mistral_ocr"])
def test_a_text_file_is_kept_as_it_is(add: Add, engine: str) -> None:
    text = '# Größe\n\n"l\'été" 1 < 2 &amp; 3\n'
    assert add(engine, "notes.md", "text/markdown", text.encode()) == [text]


OFFICE = "This service reads pictures, PDF and TIFF, not Office documents, e-books and archives."


@pytest.mark.parametrize(
    ("engine", "shown"),
    [
        ("external", f"Error loading document: 415 {OFFICE}"),
        ("tika", "Error calling Tika: Unsupported Media Type"),
        ("document_intelligence", OFFICE),
    ],
)
def test_an_office_file_is_an_error_that_says_so(add: Add, engine: str, shown: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of Open WebUI's own
        add(engine, "letter.docx", files.DOCX, files.office())
    assert shown in str(caught.value)


@pytest.mark.parametrize(
    ("engine", "shown"),
    [
        ("external", "Error loading document: 422 The document is damaged or cannot be read."),
        ("tika", "Error calling Tika: Unprocessable"),
        ("document_intelligence", "The document is damaged or cannot be read."),
    ],
)
def test_a_damaged_file_is_an_error(add: Add, engine: str, shown: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of Open WebUI's own
        add(engine, "scan.pdf", files.PDF, files.damaged())
    assert shown in str(caught.value)


@pytest.mark.parametrize(
    ("engine", "shown"),
    [
        ("external", "could not be read"),
        ("tika", "Error calling Tika: Unprocessable"),
        ("document_intelligence", "could not be read"),
    ],
)
def test_a_page_that_cannot_be_read_fails_the_document(add: Add, engine: str, shown: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of Open WebUI's own
        add(engine, "receipts.pdf", files.PDF, files.RECEIPTS.read_bytes())
    assert shown in str(caught.value)


def test_with_mistral_an_error_becomes_the_document(add: Add) -> None:
    """Open WebUI stores it as the file's text."""
    [found] = add("mistral_ocr", "scan.pdf", files.PDF, files.damaged())
    assert found.startswith("Error during processing: 422 Client Error")


@pytest.mark.parametrize(
    ("engine", "shown"), [("external", "401 An API key is required"), ("document_intelligence", "Unauthorized")]
)
def test_a_wrong_key_is_an_error(add: Add, engine: str, shown: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of Open WebUI's own
        add(engine, "scan.pdf", files.PDF, files.scans(), "wrong")
    assert shown in str(caught.value)
