"""Plain text: a line a line, an empty line between paragraphs."""

from __future__ import annotations

from api_gateway.formats.layout import Answer


def render(answer: Answer) -> bytes:
    text: str = answer["text"]
    return text.encode()
