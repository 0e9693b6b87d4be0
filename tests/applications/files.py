"""Files that users of applications add."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path

from tests.conftest import png
from tests.documents import make
from tests.pictures import german, render

RECEIPTS = Path(__file__).parents[2] / "docs" / "receipts.pdf"  # its fourth page cannot be read
PNG = "image/png"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@cache
def picture() -> bytes:
    return png(render.label(1))


@cache
def in_german() -> bytes:
    return png(german.page())


@cache
def scans(pages: int = 2) -> bytes:
    """A PDF whose pages are pictures."""
    return make.scanned(*map(render.label, range(1, pages + 1)))


def damaged() -> bytes:
    return scans()[:1000]


@cache
def office() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<document/>")
    return stream.getvalue()
