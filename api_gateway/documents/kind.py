"""What an upload is, by its first bytes: a single picture, which takes the short way, or maybe a document."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["pdf", "tiff"]

LOOKED_AT = 1024 + 5  # bytes: a PDF's own mark may come so late, behind what a mail program or printer put there
_PDF = b"%PDF-"
_TIFF = (b"II*\0", b"MM\0*")
# Pictures, which may hold anything further in, even the mark of a PDF.
_PICTURE = re.compile(rb"\x89PNG|\xff\xd8\xff|RIFF|GIF8|BM|P[1-6]\s|....ftyp", re.DOTALL)


def look(head: bytes | bytearray) -> Kind | None:
    """`pdf`; `tiff` where it may have several pages; None for all else."""
    if head.startswith(_TIFF):
        return "tiff"
    if head.startswith(_PDF) or (_PDF in head[:LOOKED_AT] and not _PICTURE.match(head)):
        return "pdf"
    return None
