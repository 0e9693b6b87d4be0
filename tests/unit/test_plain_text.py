"""Files that are plain text, and how they are read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.requests import Request

from api_gateway.contracts.plain_text import read_text, says_text
from api_gateway.errors import EmptyFile, FileTooLarge
from service_kit.budget import Budget
from service_kit.errors import UnsupportedMediaType

SAID = "Gr\u00fc\u00dfe, \u201eWelt\u201c \u20ac\r\n\tzwei"
MOST = 1000
CP1252 = "text/plain; charset=windows-1252"


@pytest.mark.parametrize(
    ("media_type", "name", "expected"),
    [
        ("text/plain", "", True),
        ("TEXT/Markdown; charset=utf-8", "scan.pdf", True),
        ("application/json", "", True),
        (" application/xml ", "", True),
        (None, "notes.txt", True),
        ("", "notes.csv", True),
        ("application/octet-stream", "page.HTML", True),
        (None, "notes.txt.gz", False),
        (None, "notes.tar.gz", False),
        ("application/octet-stream", "scan.pdf", False),
        ("application/pdf", "notes.txt", False),
        ("image/png", "notes.txt", False),
        (None, "", False),
        (None, "txt", False),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "a.docx", False),
    ],
)
def test_what_says_that_it_is_text(media_type: str | None, name: str, expected: bool) -> None:
    assert says_text(media_type, name) is expected


def read(*pieces: bytes, memory: Budget | None = None) -> str:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def ask() -> str:
        async def receive() -> Any:
            return messages.pop(0)

        with (memory or Budget(1 << 20)).take(0) as share:
            return await read_text(Request({"type": "http"}, receive), share, MOST)

    return asyncio.run(ask())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_text_is_read_in_its_encoding(encoding: str) -> None:
    data = SAID.encode(encoding)
    assert read(data) == SAID
    assert read(*(bytes([byte]) for byte in data)) == SAID, "in pieces"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xfe\xff\x00h\x00i", "hi"),
        (b"\xe9", "\u00e9"),
        (b"\x81", "\x81"),  # a gap in Windows-1252
        (b"\xef\xbb\xbf", ""),
        (b"a\r\nb\rc\n", "a\r\nb\rc\n"),
    ],
)
def test_other_texts(data: bytes, text: str) -> None:
    assert read(data) == text


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"text\0text",
        SAID.encode("utf-16-le"),
        b"\xff\xfeh",
        b"\xff\xfe\x00\xd8\x00\x00",
        "x".encode("utf-32"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaType, match="plain text"):
        read(data)


@pytest.mark.parametrize("pieces", [[], [b"", b""]])
def test_an_empty_file(pieces: Sequence[bytes]) -> None:
    with pytest.raises(EmptyFile):
        read(*pieces)


def test_the_limits() -> None:
    memory = Budget(2 * MOST)
    assert read(b"x" * 400, b"x" * 400, memory=memory) == "x" * 800
    with pytest.raises(FileTooLarge, match="1000 bytes"):
        read(b"x" * 600, b"x" * 401, memory=Budget(1 << 20))
    with memory.take(2 * MOST):
        pass  # nothing is held
