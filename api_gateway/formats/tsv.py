"""A table of tab-separated values, with the columns and rows of `tesseract ... tsv`.

One row for each page, block, paragraph, line and word (levels 1 to 5), every parent before its children.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from api_gateway.answer import Answer, AnswerPage
from api_gateway.formats.blocks import Box, blocks, printable

_COLUMNS = (
    "level", "page_num", "block_num", "par_num", "line_num", "word_num",
    "left", "top", "width", "height", "conf", "text",
)  # fmt: skip


def render(_answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    yield "\t".join(_COLUMNS).encode() + b"\n"
    for page in pages:
        yield "".join(f"{row}\n" for row in _rows(page)).encode()


def _rows(page: AnswerPage) -> Iterator[str]:
    number = page["page"]
    yield _row((number,), (0, 0, page["width"] or 0, page["height"] or 0))
    for block in blocks(page["words"]):
        yield _row((number, block.number), block.bbox)
        for paragraph in block.paragraphs:
            yield _row((number, block.number, paragraph.number), paragraph.bbox)
            for line in paragraph.lines:
                place = (number, block.number, paragraph.number, line.number)
                yield _row(place, line.bbox)
                for at, word in enumerate(line.words, 1):
                    yield _row((*place, at), word["bbox"], word["confidence"], printable(word["text"]))


def _row(place: tuple[int, ...], bbox: Box, confidence: float = -1, text: str = "") -> str:
    """`place` has as many numbers as the row's level; -1 is Tesseract's "no confidence"."""
    x0, y0, x1, y1 = bbox
    missing = (0,) * (5 - len(place))
    return "\t".join(map(str, (len(place), *place, *missing, x0, y0, x1 - x0, y1 - y0, confidence, text)))
