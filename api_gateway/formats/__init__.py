"""The formats of answers, in the one table that negotiation, the query parameter and /docs use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from api_gateway.answer import Answer, AnswerPage
from api_gateway.formats import alto, applications, hocr, json, ndjson, text, tsv

Name = Literal["json", "text", "hocr", "alto", "tsv", "ndjson", "pdf"]  # the table's keys: types can't be computed
# Shapes of other services: their routes choose them, clients cannot.
ContractFormat = Literal["open_webui", "tika_text", "tika_json", "tika_rmeta", "liteparse", "mistral"]
AnyFormat = Name | ContractFormat
# Yields UTF-8 in pieces of about a page, with one page in memory. It may iterate over the pages twice.
Render = Callable[[Answer, Iterable[AnswerPage]], Iterator[bytes]]


class Format(NamedTuple):
    """`render` is None if documents/composer.py makes the answer, because it also needs the upload.

    `light`: a page is rendered so fast that the event loop may do it.
    """

    media_type: str
    suffix: str
    render: Render | None
    description: str
    light: bool = False

    @property
    def content_disposition(self) -> str:
        """Browsers show the answer and save it under a fixed name; no text of a client gets into a header."""
        return f'inline; filename="ocr.{self.suffix}"'


# The first one is the default. hOCR's media type is from its specification (1.2, appendix C); none is registered
# for ALTO.
FORMATS: dict[Name, Format] = {
    "json": Format(
        "application/json", "json", json.render, "each word with its position and confidence", light=True
    ),
    "text": Format("text/plain", "txt", text.render, "only the text", light=True),
    "hocr": Format("text/vnd.hocr+html", "hocr", hocr.render, "hOCR 1.2, as XHTML"),
    "alto": Format("application/alto+xml", "xml", alto.render, "ALTO 4.4"),
    "tsv": Format("text/tab-separated-values", "tsv", tsv.render, "a table with Tesseract's columns"),
    "ndjson": Format(
        "application/x-ndjson",
        "ndjson",
        ndjson.render,
        "one line of JSON per page, as soon as it is read",
        light=True,
    ),
    "pdf": Format(
        "application/pdf", "pdf", None, "the upload as a searchable PDF: its pages unchanged, with invisible text"
    ),
}

_JSON = "application/json"
ALL_FORMATS: Mapping[str, Format] = {
    **dict[str, Format](FORMATS.items()),
    "open_webui": Format(
        _JSON, "json", applications.open_webui, "Open WebUI's external document loader", light=True
    ),
    "tika_text": Format("text/plain", "txt", applications.tika_text, "Tika's text", light=True),
    "tika_json": Format(_JSON, "json", applications.tika_json, "Tika's metadata and text", light=True),
    "tika_rmeta": Format(_JSON, "json", applications.tika_rmeta, "the same in a list", light=True),
    "liteparse": Format(_JSON, "json", applications.liteparse, "LiteParse's words", light=True),
    "mistral": Format(_JSON, "json", applications.mistral, "Mistral's pages", light=True),
}
