"""Groups a page's words into blocks, paragraphs and lines, each with the box around its words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from api_gateway.answer import AnswerPage
from service_kit import slant
from service_kit.page import Word

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, ends excluded

_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


class Line(NamedTuple):
    number: int
    bbox: Box
    words: Sequence[Word]


class Paragraph(NamedTuple):
    number: int
    bbox: Box
    lines: Sequence[Line]


class Block(NamedTuple):
    number: int
    bbox: Box
    paragraphs: Sequence[Paragraph]


def blocks(words: Sequence[Word]) -> list[Block]:
    """Group the words in their order: a block is a run of words with the same block number."""
    found = []
    for number, in_block in _runs(words, "block"):
        paragraphs = []
        for paragraph, in_paragraph in _runs(in_block, "paragraph"):
            lines = [
                Line(line, _around(word["bbox"] for word in in_line), in_line)
                for line, in_line in _runs(in_paragraph, "line")
            ]
            paragraphs.append(Paragraph(paragraph, _around(line.bbox for line in lines), lines))
        found.append(Block(number, _around(paragraph.bbox for paragraph in paragraphs), paragraphs))
    return found


def direction(page: AnswerPage, words: Sequence[Word]) -> float:
    """Of the writing of recognised words, in degrees counterclockwise; 0 for embedded ones."""
    recognised = all(word.get("source", page["source"]) == "ocr" for word in words)
    return slant.direction(page["rotation"], page["skew"]) if recognised else 0.0


def printable(text: str) -> str:
    """Replace each character that XML forbids, or that would break a line or a column, by U+FFFD."""
    return _NO_TEXT.sub("\ufffd", text)


def _runs(words: Sequence[Word], key: str) -> Iterator[tuple[int, list[Word]]]:
    for number, run in groupby(words, itemgetter(key)):
        yield number, list(run)


def _around(boxes: Iterable[Sequence[int]]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
