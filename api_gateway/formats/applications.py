"""Answers in the shapes of other services, of which applications read the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from api_gateway.answer import Answer, AnswerPage


def open_webui(_answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    """What Open WebUI's external document loader reads."""
    yield b'{"page_content":"'
    yield from _text(pages)
    yield b'","metadata":{}}'


def tika_text(_answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    """PUT /tika: only the text."""
    for at, page in enumerate(pages):
        yield b"\n" * (at > 0) + page["text"].encode()


def tika_json(answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    """PUT /tika/text: Tika's metadata, and the text as X-TIKA:content."""
    yield orjson.dumps(tika_metadata(answer))[:-1] + b',"X-TIKA:content":"'
    yield from _text(pages)
    yield b'"}'


def tika_rmeta(answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    """PUT /rmeta/text: a list with one document."""
    yield b"["
    yield from tika_json(answer, pages)
    yield b"]"


def tika_metadata(answer: Answer) -> dict[str, str | list[str]]:
    return {
        "Content-Type": "application/octet-stream",
        "X-TIKA:Parsed-By": ["ocr"],
        "xmpTPg:NPages": str(answer["page_count"]),
    }


def liteparse(_answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    """Words with their boxes; LiteParse sends one picture."""
    yield b'{"results":['
    between = b""
    for page in pages:
        found = [
            {"text": word["text"], "bbox": word["bbox"], "confidence": round(word["confidence"] / 100, 4)}
            for word in page["words"]
        ]
        if found:
            yield between + orjson.dumps(found)[1:-1]
            between = b","
    yield b"]}"


def mistral(answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    """Pages are numbered from 0, as in the document."""
    yield b'{"pages":['
    for at, page in enumerate(pages):
        found = {
            "index": page["page"] - 1,
            "markdown": page["text"],
            "images": [],
            "dimensions": {"dpi": round(page["dpi"] or 0), "width": page["width"], "height": page["height"]},
        }
        yield b"," * (at > 0) + orjson.dumps(found)
    used = {"pages_processed": answer["pages_ok"], "doc_size_bytes": None}
    yield b'],"model":"mistral-ocr-latest","usage_info":' + orjson.dumps(used) + b"}"


def _text(pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    """Escaped for a string of JSON; a line between pages."""
    for at, page in enumerate(pages):
        yield b"\\n" * (at > 0) + orjson.dumps(page["text"])[1:-1]
