"""`analyzeResult` of Azure Document Intelligence (2024-11-30), for prebuilt-read and prebuilt-layout.

https://learn.microsoft.com/rest/api/aiservices/document-models/get-analyze-result
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import orjson

from api_gateway.answer import AnswerPage
from api_gateway.formats.blocks import Box, Line, blocks, direction
from service_kit.page import Word

StringIndex = Literal["textElements", "unicodeCodePoint", "utf16CodeUnit"]
ContentFormat = Literal["text", "markdown"]

_PAGE_BREAK = "\n<!-- PageBreak -->\n\n"


class Shape(NamedTuple):
    """What a client asked of an answer. `inches`: positions are not in pixels, as for a PDF."""

    model: str
    api_version: str
    string_index: StringIndex = "textElements"
    content: ContentFormat = "text"
    inches: bool = False


def render(pages: Iterable[AnswerPage], shape: Shape) -> Iterator[bytes]:
    """UTF-8 in pieces of about a page. It iterates over the pages three times, and none of them failed."""
    head = {
        "apiVersion": shape.api_version,
        "modelId": shape.model,
        "stringIndexType": shape.string_index,
        "contentFormat": shape.content,
    }
    yield orjson.dumps(head)[:-1] + b',"content":"'
    for at, page in enumerate(pages):
        yield orjson.dumps(_break(at, shape) + page["text"])[1:-1]
    yield b'","pages":['
    for at, laid_out in enumerate(_laid_out(pages, shape)):
        yield b"," * (at > 0) + orjson.dumps(laid_out.json())
    yield b'],"paragraphs":['
    between = b""
    for laid_out in _laid_out(pages, shape):
        if laid_out.paragraphs:
            yield between + orjson.dumps(laid_out.paragraphs)[1:-1]
            between = b","
    yield b'],"styles":[]}'


def _laid_out(pages: Iterable[AnswerPage], shape: Shape) -> Iterator[_LaidOutPage]:
    start = 0
    for at, page in enumerate(pages):
        start += _length(_break(at, shape), shape)
        found = _LaidOutPage(page, start, shape)
        start += found.length
        yield found


class _LaidOutPage:
    """A page whose text begins at an offset of the content."""

    def __init__(self, page: AnswerPage, start: int, shape: Shape) -> None:
        self._page = page
        self._start = start
        self._shape = shape
        self.length = _length(page["text"], shape)
        self._lines: list[dict[str, Any]] = []
        self._words: list[dict[str, Any]] = []
        self.paragraphs: list[dict[str, Any]] = []
        self._scale = page["dpi"] if shape.inches and page["dpi"] else None
        self._lay_out()

    def json(self) -> dict[str, Any]:
        page, scale = self._page, self._scale or 1
        turned = -direction(page, page["words"])
        return {
            "pageNumber": page["page"],
            "angle": round((turned + 180) % 360 - 180, 2),
            "width": round((page["width"] or 0) / scale, 4),
            "height": round((page["height"] or 0) / scale, 4),
            "unit": "inch" if self._scale else "pixel",
            "spans": [{"offset": self._start, "length": self.length}],
            "words": self._words,
            "lines": self._lines,
        }

    def _lay_out(self) -> None:
        """The words stand in the text as `service_kit.page.text_of` has joined them."""
        at = self._start
        for block in blocks(self._page["words"]):
            for paragraph in block.paragraphs:
                begin = at
                texts = []
                for line in paragraph.lines:
                    texts.append(self._add_line(line, at))
                    at += _length(texts[-1], self._shape) + 1
                text = "\n".join(texts)
                self.paragraphs.append(
                    {
                        "content": text,
                        "boundingRegions": [
                            {"pageNumber": self._page["page"], "polygon": self._polygon(paragraph.bbox)}
                        ],
                        "spans": [{"offset": begin, "length": _length(text, self._shape)}],
                    }
                )
                at += 1

    def _add_line(self, line: Line, at: int) -> str:
        text = " ".join(word["text"] for word in line.words)
        span = {"offset": at, "length": _length(text, self._shape)}
        self._lines.append({"content": text, "polygon": self._polygon(line.bbox), "spans": [span]})
        for word in line.words:
            self._words.append(self._word(word, at))
            at += _length(word["text"], self._shape) + 1
        return text

    def _word(self, word: Word, at: int) -> dict[str, Any]:
        return {
            "content": word["text"],
            "polygon": self._polygon(word["bbox"]),
            "confidence": round(word["confidence"] / 100, 3),
            "span": {"offset": at, "length": _length(word["text"], self._shape)},
        }

    def _polygon(self, box: Box | Sequence[int]) -> list[float]:
        left, top, right, bottom = (edge if self._scale is None else round(edge / self._scale, 4) for edge in box)
        return [left, top, right, top, right, bottom, left, bottom]


def _break(at: int, shape: Shape) -> str:
    return _PAGE_BREAK if at and shape.content == "markdown" else ""


def _length(text: str, shape: Shape) -> int:
    """Of the text in the units of the client's language."""
    return len(text.encode("utf-16-le")) // 2 if shape.string_index == "utf16CodeUnit" else len(text)
