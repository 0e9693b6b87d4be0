"""The formats of answers: the one table that negotiation, the query parameter and /docs go by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from api_gateway.formats import alto, hocr, json, ndjson, text, tsv
from api_gateway.formats.layout import Answer

Name = Literal["json", "text", "hocr", "alto", "tsv", "ndjson", "pdf"]  # the table's keys: types can't be computed


class Format(NamedTuple):
    """`render` is a pure function of the answer that `schemas.OcrAnswer` describes; what it gives is UTF-8.

    None: it takes the upload as well, and documents/composer.py makes it.
    """

    media_type: str
    suffix: str
    render: Callable[[Answer], bytes] | None
    description: str

    @property
    def content_disposition(self) -> str:
        """Shown in the browser, and saved under a name of ours: nothing that a client wrote gets into a header."""
        return f'inline; filename="ocr.{self.suffix}"'


# The first is sent where the client leaves it open. hOCR's type is the one in its specification (1.2, appendix C);
# for ALTO none is registered.
FORMATS: dict[Name, Format] = {
    "json": Format("application/json", "json", json.render, "each word with its place and confidence"),
    "text": Format("text/plain", "txt", text.render, "the bare text"),
    "hocr": Format("text/vnd.hocr+html", "hocr", hocr.render, "hOCR 1.2, as XHTML"),
    "alto": Format("application/alto+xml", "xml", alto.render, "ALTO 4.4"),
    "tsv": Format("text/tab-separated-values", "tsv", tsv.render, "a table with Tesseract's columns"),
    "ndjson": Format(
        "application/x-ndjson", "ndjson", ndjson.render, "a line of JSON for each page as soon as it is read"
    ),
    "pdf": Format(
        "application/pdf", "pdf", None, "the upload as a searchable PDF: its pages as they are, and invisible text"
    ),
}
