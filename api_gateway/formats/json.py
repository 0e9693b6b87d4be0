"""JSON: the answer with its pages, as `schemas.OcrAnswer` describes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from api_gateway.answer import Answer, AnswerPage


def render(answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    head = orjson.dumps({"request_id": answer["request_id"], "status": answer["status"]})
    yield head[:-1] + b',"text":"'
    for at, page in enumerate(pages):
        yield b"\\f" * (at > 0) + orjson.dumps(page["text"])[1:-1]
    yield b'","confidence":' + orjson.dumps(answer["confidence"]) + b',"pages":['
    for at, page in enumerate(pages):
        yield b"," * (at > 0) + orjson.dumps(page)
    yield b"]," + orjson.dumps({"page_count": answer["page_count"], "model": answer["model"]})[1:]
