"""NDJSON: one line of JSON per page, and a last line with the totals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from api_gateway.answer import Answer, AnswerPage


def render(answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    yield from map(line, pages)
    yield line(answer)


def line(value: AnswerPage | Answer) -> bytes:
    """The line of a page, or the last one: the answer without its pages."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
