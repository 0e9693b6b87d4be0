"""Plain text: one line of text per line, blank lines between paragraphs, a form feed between pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from api_gateway.answer import Answer, AnswerPage


def render(_answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    for at, page in enumerate(pages):
        yield b"\f" * (at > 0) + page["text"].encode()
