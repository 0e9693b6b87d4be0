"""PDFs opened by qpdf: for changing them, for what PDFium does not tell, and for repairing them."""

from __future__ import annotations

import io
import re
from itertools import islice
from typing import TYPE_CHECKING

from pikepdf import AccessMode, ObjectStreamMode, PasswordError, Pdf, PdfError, StreamDecodeLevel

from api_gateway.children import passwords

if TYPE_CHECKING:
    from pathlib import Path

_MOST_REPAIRED = 64 << 20  # bytes of a file; repairing takes a few times as much memory
_HEADER_WITHIN = 1024  # bytes: readers look for the header there
_OBJECT = re.compile(rb"\b(\d{1,10})\s+\d{1,5}\s+obj\b")
_PAGE = re.compile(rb"\b(\d{1,10})\s+(\d{1,5})\s+obj\b(?:(?!endobj).){0,2000}?/Type\s*/Page\b", re.DOTALL)
_ENCRYPTED = re.compile(rb"/Encrypt\b|/Filter\s*/Standard\b")
_MOST_PAGES = 10_000


def opened(source: Path | io.BytesIO, password: str | None) -> Pdf:
    """Open it without a memory map, which would count as resident memory.

    Raises:
        PasswordError: it is encrypted, and the password is missing or wrong.
        PdfError: it can't be read.
    """
    for candidate in passwords.candidates(password):
        try:
            return Pdf.open(source, password=candidate, access_mode=AccessMode.stream)
        except PasswordError as wrong:
            error = wrong
    raise error


def repaired(path: Path, password: str | None) -> Pdf:
    """Open a damaged file: qpdf looks for its objects, and its pages are looked for if it does not name them.

    Raises:
        PasswordError: it is encrypted, and the password is missing or wrong.
        PdfError, ValueError: it can't be repaired, or is too large.
    """
    if path.stat().st_size > _MOST_REPAIRED:
        raise ValueError("too large to be repaired")
    data = _with_header(path.read_bytes())
    try:
        return _with_pages(data + b"\n%%EOF\n", password)
    except PasswordError:
        raise
    except PdfError:
        return _with_pages(_with_tree(data), password)


def saved(pdf: Pdf) -> bytes:
    """The file as it is then, without encryption."""
    stream = io.BytesIO()
    pdf.save(
        stream,
        encryption=False,
        object_stream_mode=ObjectStreamMode.preserve,
        stream_decode_level=StreamDecodeLevel.none,
    )
    return stream.getvalue()


def _with_header(data: bytes) -> bytes:
    at = data.find(b"%PDF-")
    if at >= 0:
        return data[at:] if at else data
    first = _OBJECT.search(data)
    if first is None:
        raise ValueError("no object")
    return b"%PDF-1.7\n" + data[first.start() :]


def _with_pages(data: bytes, password: str | None) -> Pdf:
    pdf = opened(io.BytesIO(data), password)
    if not len(pdf.pages):
        raise PdfError("no page")
    if not pdf.is_encrypted and _ENCRYPTED.search(data):
        raise PdfError("its encryption is lost with its trailer")  # its pages would be blank
    return pdf


def _with_tree(data: bytes) -> bytes:
    """Add a page tree of all pages, in the order of the file, and a trailer for it in place of the file's own."""
    pages = [b"%b %b R" % match.groups() for match in islice(_PAGE.finditer(data), _MOST_PAGES)]
    tree = max((int(match[1]) for match in _OBJECT.finditer(data)), default=0) + 1
    catalogue = tree + 1
    return (
        data.replace(b"trailer", b"Trailer")
        + b"\n%d 0 obj\n<</Type/Pages/Count %d/Kids[%b]>>\nendobj\n" % (tree, len(pages), b" ".join(pages))
        + b"%d 0 obj\n<</Type/Catalog/Pages %d 0 R>>\nendobj\n" % (catalogue, tree)
        + b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n0\n%%%%EOF\n" % (catalogue + 1, catalogue)
    )
