"""Identifies an upload by its first bytes: a picture, or possibly a document."""

from __future__ import annotations

import re
from typing import Literal

from service_kit.errors import UnsupportedMediaType

Kind = Literal["picture", "pdf", "tiff"]

LOOKED_AT = 1024 + 5  # bytes: a PDF's header may be this late, after bytes that a mail program or printer added
_PDF = b"%PDF-"
# How a PDF begins whose header is damaged or lost: with its first object, perhaps after a comment.
_NO_HEADER = re.compile(
    rb"\s{0,20}(%!PS-Adobe-\d\.\d\s+|%)?PDF-\d|\s{0,20}(%[^\r\n]{0,100}\s+)?\d{1,10}\s+\d{1,5}\s+obj\b"
)
_TIFF = (b"II*\0", b"MM\0*")
# Pictures; their data may contain anything, even the header of a PDF.
_PICTURE = re.compile(rb"\x89PNG|\xff\xd8\xff|RIFF|GIF8|BM|P[1-6]\s|....ftyp", re.DOTALL)
# Files that people send besides pictures and documents, by how they begin.
_OTHERS = {
    b"PK\x03\x04": "Office documents, e-books and archives",
    b"PK\x05\x06": "archives",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "old Office documents and e-mails of Outlook",
    b"{\\rtf": "RTF documents",
    b"\x1f\x8b": "archives",
    b"Rar!": "archives",
    b"7z\xbc\xaf\x27\x1c": "archives",
}
_MEDIA_TYPES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
    b"BM": "image/bmp",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
}


def look(head: bytes | bytearray) -> Kind:
    """`tiff` may have several pages; all that is neither PDF nor TIFF is treated as a picture."""
    if head.startswith(_TIFF):
        return "tiff"
    if head.startswith(_PDF):
        return "pdf"
    if _PICTURE.match(head):
        return "picture"
    return "pdf" if _PDF in head[:LOOKED_AT] or _NO_HEADER.match(head) else "picture"


def media_type(head: bytes | bytearray) -> str | None:
    """That of a picture or a document; None if it seems to be neither."""
    if look(head) == "pdf":
        return "application/pdf"
    if head[4:8] == b"ftyp":
        return "image/avif" if head[8:12] in (b"avif", b"avis") else "image/heic"
    if _PICTURE.match(head) and head[:1] == b"P":
        return "image/x-portable-anymap"
    return next((found for start, found in _MEDIA_TYPES.items() if head.startswith(start)), None)


def refuse_others(head: bytes | bytearray) -> None:
    """Refuse a file of a kind that is common, and is neither a picture nor a document.

    Raises:
        UnsupportedMediaType.
    """
    for start, kind in _OTHERS.items():
        if head.startswith(start):
            raise UnsupportedMediaType(
                f"This service reads pictures, PDF and TIFF, not {kind}. Save or print the document as PDF."
            )


def shows_picture(start: bytes) -> bool:
    """Whether a file that begins like this is certainly a picture of one page."""
    return _PICTURE.match(start) is not None


def kind_in_form(start: bytes, field: str) -> Kind | None:
    """The kind of the file in a multipart form, by the form's first bytes; None if they do not show it."""
    name = f'name="{field}"'.encode()
    head, _, file = start[start.find(name) :].partition(b"\r\n\r\n") if name in start else (b"", b"", b"")
    if not head or not (_PICTURE.match(file) or len(file) >= LOOKED_AT):
        return None
    return look(file)
