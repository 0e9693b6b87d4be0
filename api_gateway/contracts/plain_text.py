"""Files of plain text, which applications send like pictures and documents."""

from __future__ import annotations

import contextlib
import mimetypes
from typing import TYPE_CHECKING

from api_gateway.errors import EmptyFile, FileTooLarge
from api_gateway.settings import UPLOAD_COPIES
from service_kit.errors import UnsupportedMediaType

if TYPE_CHECKING:
    from starlette.requests import Request

    from service_kit.budget import Share

_APPLICATIONS = ("json", "xml", "yaml", "x-yaml", "toml")
_TEXTS = ("text/", *(f"application/{name}" for name in _APPLICATIONS))
_ENCODINGS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def says_text(content_type: str | None, name: str) -> bool:
    """Whether the Content-Type, or without a useful one the file's name, says that a file is plain text."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type in ("", "application/octet-stream"):
        guessed, compression = mimetypes.guess_type(name)
        media_type = guessed if guessed and not compression else ""
    return media_type.startswith(_TEXTS)


async def read_text(request: Request, memory: Share, most_bytes: int) -> str:
    """The body as text: UTF-8, UTF-16 with its mark, else Windows-1252. `memory` grows to what the body takes.

    Raises:
        EmptyFile, FileTooLarge, UnsupportedMediaType, what `Share.resize` and reading the body raise.
    """
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most_bytes:
            raise FileTooLarge(f"The text is larger than {most_bytes} bytes.")
        if UPLOAD_COPIES * len(data) > memory.amount:
            memory.resize(UPLOAD_COPIES * len(data))
    if not data:
        raise EmptyFile
    return _decode(bytes(data))


def _decode(data: bytes) -> str:
    marked = next((name for mark, name in _ENCODINGS if data.startswith(mark)), None)
    text = None
    for encoding in ("utf-16",) if marked == "utf-16" else (marked or "utf-8", "cp1252", "latin-1"):
        with contextlib.suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            break
    if text is None or "\0" in text:
        raise UnsupportedMediaType("The file is said to be plain text, and is not.")
    return text
