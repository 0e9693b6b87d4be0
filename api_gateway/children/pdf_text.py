"""The embedded text of a PDF page, as far as the page shows it and its fonts say which letters they draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pypdfium2.raw as pdfium

from api_gateway.children import pdf_letters, pdf_words
from api_gateway.children.pdf_look import Seen, look

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

    from api_gateway.children.pdf_look import Draw
    from service_kit.reading_order import PlacedWord

_MOST_OBJECTS = 20_000  # a page with more objects is a drawing


class PageText(NamedTuple):
    """The embedded words, none if the page has to be recognised as a whole; `more`: it may show other text."""

    words: list[PlacedWord]
    more: bool


def read(page: PdfPage, width: int, height: int, dpi: float, draw: Draw) -> PageText:
    """The embedded text of a page that is shown with `width` by `height` pixels; `draw` draws it."""
    seen = _seen(page, width, height, dpi, draw)
    if seen is None:
        return PageText([], more=True)
    return PageText(pdf_words.words(seen.letters, width, height), seen.more)


def _seen(page: PdfPage, width: int, height: int, dpi: float, draw: Draw) -> Seen | None:
    if pdfium.FPDFPage_CountObjects(page) > _MOST_OBJECTS:
        return None
    text_page = page.get_textpage()
    try:
        letters = pdf_letters.read(page, text_page, width, height)
        if not letters:
            return None
        return look(page, text_page, letters, (width, height), dpi, draw)
    finally:
        text_page.close()
