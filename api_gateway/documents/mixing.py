"""The words of a page whose text is partly embedded: embedded ones where they stand, recognised ones elsewhere.

The whole page is recognised, with its embedded words: without them, the engine would judge the page's layout and
contrast in another way, and miss words that it reads with them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from service_kit import slant
from service_kit.page import make_page
from service_kit.reading_order import EM, PlacedWord, arrange

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from api_gateway.answer import Source
    from service_kit.page import Page, Word
    from service_kit.reading_order import Box

# How the engine reads rules, boxes and specks: strokes, dashes, dots and quotation marks.
_STROKES = frozenset("|_-=~.*'`\"\u00a6\u00b0\u00b7\u2013\u2014\u2018\u2019\u201c\u201d\u2022")
_CELL = 128  # pixels; words are compared only with words in the same cells
_COVERED = 0.65  # share of a recognised word's box that embedded words take, if it is one of them
_TOUCHED = 0.2  # the same, if an embedded word there has the same text
_AROUND = 0.1  # of a word's height: recognised boxes are not exact
_MOST_RATIO = 2.5  # between the heights of the same word; a watermark covers no words
_ASIDE, _RISES = 0.4, 0.7  # sizes: half a gap between dots that lead to a number; the height of letters
_UPRIGHT = 1.0  # degrees


def mix(embedded: Sequence[PlacedWord], recognised: Page) -> tuple[Page, Source]:
    """The page with all words. It is `embedded` if no word was recognised where no embedded one stands."""
    taken = _Taken(embedded)
    found = [
        _placed(word, recognised)
        for word in recognised["words"]
        if not _STROKES.issuperset(word["text"]) and not taken.has(word["text"], _box(word))
    ]
    words = [word._replace(source="embedded") for word in embedded] if found else embedded
    page = make_page(
        arrange([*words, *found]),
        width=recognised["width"],
        height=recognised["height"],
        page_count=1,
        engine=recognised["engine"] if found else None,
        duration_seconds=recognised["duration_seconds"],
        rotation=recognised.get("rotation", 0) if found else 0,
        skew=recognised.get("skew", 0.0) if found else 0.0,
        warnings=recognised.get("warnings", ()),
    )
    return page, "mixed" if found else "embedded"


def _placed(word: Word, page: Page) -> PlacedWord:
    """A recognised word, with the direction of the page and its own height if that is not 0."""
    placed = PlacedWord(word["text"], _box(word), word["confidence"], "ocr", engine=word.get("engine"))
    rotation, skew = page.get("rotation", 0), page.get("skew", 0.0)
    if not rotation and not skew:
        return placed
    x0, y0, x1, y1 = placed.box
    sides = (y1 - y0, x1 - x0) if rotation % 180 else (x1 - x0, y1 - y0)
    return placed._replace(angle=slant.direction(rotation, skew), size=EM * slant.word_in(*sides, skew)[1])


def _box(word: Word) -> Box:
    x0, y0, x1, y1 = word["bbox"]
    return x0, y0, x1, y1


class _Taken:
    """The places of embedded words."""

    def __init__(self, words: Sequence[PlacedWord]) -> None:
        self._words = words
        self._places = [_place(word) for word in words]
        self._boxes = [*map(_grown, self._places)]
        self._cells: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for number, box in enumerate(self._boxes):
            if abs((words[number].angle + 45) % 90 - 45) < _UPRIGHT:  # a slanting word takes little of its box
                for cell in _cells(box):
                    self._cells[cell].append(number)

    def has(self, text: str, box: Box) -> bool:
        """Whether the recognised word is one of the embedded ones, or more than one."""
        near = {number for cell in _cells(box) for number in self._cells.get(cell, ())}
        area = _area(box)
        covered = 0
        for number in near:
            shared = _shared(box, self._boxes[number])
            if shared > _TOUCHED * area and self._words[number].text == text:
                return True
            if _are_alike(box, self._places[number]) or _are_alike(box, self._words[number].box):
                covered += shared
        return covered > _COVERED * area


def _place(word: PlacedWord) -> Box:
    """The word's box; around dots and dashes as high as their line, since a row of them may be read as a word."""
    if word.angle or word.origin is None or word.size is None or not _STROKES.issuperset(word.text):
        return word.box
    x0, y0, x1, y1 = word.box
    more, base = round(_ASIDE * word.size), word.origin[1]
    return x0 - more, min(y0, round(base - _RISES * word.size)), x1 + more, max(y1, round(base))


def _grown(box: Box) -> Box:
    x0, y0, x1, y1 = box
    more = 1 + round(_AROUND * min(x1 - x0, y1 - y0))
    return x0 - more, y0 - more, x1 + more, y1 + more


def _are_alike(one: Box, other: Box) -> bool:
    """Whether two boxes may be those of one line of text, which goes across or down."""
    return any(
        max(a, b) < _MOST_RATIO * min(a, b)
        for a, b in ((one[3] - one[1], other[3] - other[1]), (one[2] - one[0], other[2] - other[0]))
    )


def _cells(box: Box) -> Iterator[tuple[int, int]]:
    x0, y0, x1, y1 = box
    for x in range(x0 // _CELL, x1 // _CELL + 1):
        for y in range(y0 // _CELL, y1 // _CELL + 1):
            yield x, y


def _shared(a: Box, b: Box) -> int:
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
