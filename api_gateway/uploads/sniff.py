"""Identifies an upload by its first bytes: a picture, or possibly a document."""

from __future__ import annotations

import re
from typing import Literal

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
_FIELD = b'name="image_file"'


def look(head: bytes | bytearray) -> Kind:
    """`tiff` may have several pages; all that is neither PDF nor TIFF is treated as a picture."""
    if head.startswith(_TIFF):
        return "tiff"
    if head.startswith(_PDF):
        return "pdf"
    if _PICTURE.match(head):
        return "picture"
    return "pdf" if _PDF in head[:LOOKED_AT] or _NO_HEADER.match(head) else "picture"


def kind_in_form(start: bytes) -> Kind | None:
    """The kind of the file in a multipart form, by the form's first bytes; None if they do not show it."""
    head, _, file = start[start.find(_FIELD) :].partition(b"\r\n\r\n") if _FIELD in start else (b"", b"", b"")
    if not head or not (_PICTURE.match(file) or len(file) >= LOOKED_AT):
        return None
    return look(file)
