"""Azure's own client of Document Intelligence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.ai.documentintelligence import DocumentIntelligenceClient
from azure.ai.documentintelligence.models import (
    AnalyzeDocumentRequest,
    AnalyzeOutputOption,
    AnalyzeResult,
    DocumentContentFormat,
)
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from tests import readers
from tests.applications import files
from tests.applications.site import KEY, Site


def client_at(url: str, key: str = KEY) -> DocumentIntelligenceClient:
    return DocumentIntelligenceClient(url, AzureKeyCredential(key))


@pytest.fixture
def client(site: Site) -> Iterator[DocumentIntelligenceClient]:
    with client_at(site.url) as found:
        yield found


def read(client: DocumentIntelligenceClient, file: bytes, **more: Any) -> AnalyzeResult:
    return client.begin_analyze_document(
        "prebuilt-read", AnalyzeDocumentRequest(bytes_source=file), **more
    ).result()


def parts_of(content: str, spans: Any) -> list[str]:
    return [content[span.offset : span.offset + span.length] for span in spans]


def test_a_picture_has_the_text_of_the_gateway_and_every_word_is_at_its_place_in_it(
    client: DocumentIntelligenceClient, site: Site
) -> None:
    found = read(client, files.picture())
    assert found.content == site.text(files.picture()) != ""
    [page] = found.pages
    words = site.read(files.picture(), format="json").json()["pages"][0]["words"]
    assert (page.unit, page.width, page.height) == ("pixel", 300, 100)
    assert [word.content for word in page.words] == [word["text"] for word in words]
    assert parts_of(found.content, [word.span for word in page.words]) == found.content.split()
    for word, ours in zip(page.words, words, strict=True):
        left, top, right, bottom = ours["bbox"]
        assert word.polygon == [left, top, right, top, right, bottom, left, bottom]
        assert word.confidence == pytest.approx(ours["confidence"] / 100, abs=0.001)
    assert [line.content for line in page.lines] == found.content.split("\n")[:-1]
    assert [part for line in page.lines for part in parts_of(found.content, line.spans)] == [
        line.content for line in page.lines
    ]


def test_what_paperless_does(client: DocumentIntelligenceClient, site: Site) -> None:
    """The calls of its engine `azureai`, one after the other."""
    poller = client.begin_analyze_document(
        model_id="prebuilt-read",
        body=AnalyzeDocumentRequest(bytes_source=files.scans(20)),
        output_content_format=DocumentContentFormat.TEXT,
        output=[AnalyzeOutputOption.PDF],
        content_type="application/json",
    )
    poller.wait()
    result_id = poller.details["operation_id"]
    result = poller.result()
    pdf = b"".join(client.get_analyze_result_pdf(model_id="prebuilt-read", result_id=result_id))
    assert result.content == "".join(site.pages(files.scans(20)))
    assert readers.pdf_words(pdf) == site.pdf_words(files.scans(20))
    assert [len(words) > 3 for words in readers.pdf_words(pdf)] == [True] * 20
    assert [page.page_number for page in result.pages] == list(range(1, 21))


def test_positions_in_a_pdf_are_in_inches(client: DocumentIntelligenceClient) -> None:
    page = read(client, files.scans(1)).pages[0]
    assert (page.unit, page.width, page.height) == (
        "inch",
        pytest.approx(300 / 203, 0.01),
        pytest.approx(100 / 203, 0.01),
    )
    assert all(0 < edge < page.width for word in page.words for edge in word.polygon)


def test_markdown_by_octet_stream(client: DocumentIntelligenceClient, site: Site) -> None:
    poller = client.begin_analyze_document(
        "prebuilt-layout", files.scans(), content_type="application/octet-stream", output_content_format="markdown"
    )
    found = poller.result()
    assert found.content.split("\n<!-- PageBreak -->\n\n") == site.pages(files.scans())
    assert found.paragraphs
    assert [part for each in found.paragraphs for part in parts_of(found.content, each.spans)] == [
        each.content for each in found.paragraphs
    ]


def test_only_the_pages_that_are_asked_for(client: DocumentIntelligenceClient, site: Site) -> None:
    found = read(client, files.scans(3), pages="2-3")
    assert [page.page_number for page in found.pages] == [2, 3]
    assert found.content == "".join(site.pages(files.scans(3))[1:])


def test_a_locale_is_the_language(client: DocumentIntelligenceClient, site: Site) -> None:
    file = files.in_german()
    ours = [site.read(file, languages=language, format="text").text for language in ("deu", "eng")]
    assert [read(client, file, locale=locale).content for locale in ("de-DE", "en-US")] == ours


@pytest.mark.parametrize(
    ("file", "more", "code", "text"),
    [
        (files.damaged(), {}, "InvalidRequest", "The document is damaged or cannot be read."),
        (files.office(), {}, "UnsupportedMediaType", "not Office documents"),
        (files.picture(), {"locale": "tlh"}, "InvalidRequest", "The locale 'tlh' is not known."),
        (files.picture(), {"features": ["keyValuePairs"]}, "InvalidRequest", "keyValuePairs is not supported"),
        (files.RECEIPTS.read_bytes(), {}, "InvalidRequest", "could not be read."),
    ],
)
def test_an_error_says_what_is_wrong(
    client: DocumentIntelligenceClient, file: bytes, more: dict[str, Any], code: str, text: str
) -> None:
    with pytest.raises(HttpResponseError) as caught:
        read(client, file, **more)
    assert caught.value.error.code == code
    assert text in caught.value.error.message


def test_a_document_by_its_address_is_refused(client: DocumentIntelligenceClient) -> None:
    request = AnalyzeDocumentRequest(url_source="https://example.com/a.pdf")
    with pytest.raises(HttpResponseError, match="base64Source"):
        client.begin_analyze_document("prebuilt-read", request)


def test_another_model_is_not_found(client: DocumentIntelligenceClient) -> None:
    with pytest.raises(ResourceNotFoundError, match=r"prebuilt-read and prebuilt-layout"):
        client.begin_analyze_document("prebuilt-invoice", AnalyzeDocumentRequest(bytes_source=files.picture()))


def test_a_wrong_key_is_refused_with_the_header_that_takes_it(site: Site) -> None:
    with client_at(site.url, "wrong") as client, pytest.raises(ClientAuthenticationError) as caught:
        read(client, files.picture())
    assert caught.value.status_code == 401
    assert "Ocp-Apim-Subscription-Key" in caught.value.error.message
