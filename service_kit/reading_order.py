"""Puts the words of a page into lines, paragraphs and blocks, in the order in which people read them.

The geometry decides. Where it leaves a choice between columns and a table, the order of the input does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from operator import itemgetter
from typing import Literal, NamedTuple

from service_kit.columns import Item, Row, in_order
from service_kit.page import Word
from service_kit.writing import is_rtl, read_order

Box = tuple[int, int, int, int]

EM = 1.25  # of a word's height, on average: the size of its font, if it is not known
_LOWEST = 0.15  # of a word's height: where the baseline is, from the bottom, if it is not known
_DIRECTION = 3.0  # degrees between words of one direction
_UPRIGHT = 3
_LABELS_APART = 2.0  # sizes
_NEXT_LINE = 2.6  # sizes between the baselines of two lines of a block
_WIDER = 1.35  # how much more space than between other lines begins a paragraph
_OTHER_SIZE = 1.3


class PlacedWord(NamedTuple):
    """A word at its place on the page, embedded or recognised.

    `box` is x0, y0, x1, y1 in pixels of the page as it is shown; x1 and y1 are exclusive. `angle` is the direction
    of the writing in degrees, counterclockwise: 0 is to the right, 90 is up. `origin` is a point of the baseline,
    `size` the size of the font in pixels; both are estimated from the box if they are not known.
    """

    text: str
    box: Box
    confidence: float = 100.0
    source: Literal["embedded", "ocr"] | None = None
    angle: float = 0.0
    origin: tuple[float, float] | None = None
    size: float | None = None
    engine: Literal["tesseract", "neural"] | None = None


class _Line(NamedTuple):
    """Words in reading order, with the extent of the line along and its place down its direction."""

    words: list[int]
    base: float
    size: float
    start: float
    end: float


def arrange(words: Sequence[PlacedWord]) -> list[Word]:
    """The words in reading order, with the numbers of their blocks, paragraphs and lines.

    Words of other directions than most words follow at the end; each is a label of its own.
    """
    found: list[Word] = []
    block = 0
    directed = any(not word.text.isascii() and is_rtl(word.text) for word in words)
    for order, (angle, members) in enumerate(_directions(words)):
        rtl = directed and 2 * sum(is_rtl(words[at].text) for at in members) > len(members)
        items = [_item(words[at], at, angle) for at in members]
        rows = in_order(items, rtl=rtl)
        if order:
            rows = chain.from_iterable(map(_labels, rows))
        lines = [_line(words, row, directed=directed) for row in rows]
        for paragraphs in _blocks(lines):
            block += 1
            for paragraph, inside in enumerate(paragraphs, 1):
                for number, line in enumerate(inside, 1):
                    found += [_numbered(words[at], block, paragraph, number) for at in line.words]
    return found


def _directions(words: Sequence[PlacedWord]) -> list[tuple[float, list[int]]]:
    """The words of each direction; the direction with the most letters comes first."""
    angles: dict[float, list[int]] = {}
    for at, word in enumerate(words):
        angles.setdefault(word.angle, []).append(at)
    if len(angles) == 1:
        return [*angles.items()]
    groups: list[tuple[float, list[int]]] = []
    for angle in sorted(angles, key=lambda angle: (angle + _DIRECTION) % 360):
        if groups and (angle - groups[-1][0]) % 360 < _DIRECTION:
            groups[-1][1].extend(angles[angle])
        else:
            groups.append((angle, angles[angle]))
    for _, members in groups:
        members.sort()
    return sorted(groups, key=lambda group: -_weight(words, *group))


def _weight(words: Sequence[PlacedWord], angle: float, members: Sequence[int]) -> int:
    """The number of letters; upright ones count more, since long labels don't make a page a turned one."""
    upright = abs((angle + 180) % 360 - 180) < _DIRECTION
    return sum(len(words[at].text) for at in members) * (_UPRIGHT if upright else 1)


def _labels(row: Row) -> Iterator[Row]:
    """The parts of a line that are far from each other."""
    label = row[:1]
    for one, other in pairwise(row):
        if other.start - one.end > _LABELS_APART * other.size:
            yield label
            label = []
        label.append(other)
    yield label


def _item(word: PlacedWord, index: int, angle: float) -> Item:
    x0, y0, x1, y1 = word.box
    size = word.size or EM * (y1 - y0)
    if not angle:
        base = word.origin[1] if word.origin else y1 - _LOWEST * (y1 - y0)
        return Item(base, x0, x1, size, index)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    middle = x * cosine - y * sine
    half = _length(x1 - x0, y1 - y0, abs(cosine), abs(sine), size) / 2
    base = word.origin[0] * sine + word.origin[1] * cosine if word.origin else x * sine + y * cosine + size / 3
    return Item(base, middle - half, middle + half, size, index)


def _length(width: float, height: float, cosine: float, sine: float, size: float) -> float:
    """The length of a turned word in a box of this size."""
    if cosine > sine:
        return max(1.0, (width - sine * size) / cosine)
    return max(1.0, (height - cosine * size) / sine)


def _line(words: Sequence[PlacedWord], row: Row, *, directed: bool) -> _Line:
    largest = max(row, key=itemgetter(3)) if len(row) > 1 else row[0]
    order = [item.place for item in row]
    if directed:
        order = [order[at] for at in read_order([words[at].text for at in order])]
    return _Line(order, largest.base, largest.size, row[0].start, max([item.end for item in row]))


def _blocks(lines: Sequence[_Line]) -> Iterator[list[list[_Line]]]:
    """Lines that follow each other closely make a block; within it, more space begins a paragraph."""
    block: list[_Line] = []
    for line in lines:
        if block and not _follows(block[-1], line):
            yield _paragraphs(block)
            block = []
        block.append(line)
    if block:
        yield _paragraphs(block)


def _follows(above: _Line, below: _Line) -> bool:
    beside = below.start >= above.end or below.end <= above.start
    return not beside and 0 < below.base - above.base < _NEXT_LINE * max(above.size, below.size)


def _paragraphs(block: Sequence[_Line]) -> list[list[_Line]]:
    steps = [below.base - above.base for above, below in pairwise(block)]
    found = [[block[0]]]
    for at, step in enumerate(steps):
        near = min(steps[max(0, at - 1) : at + 2])
        small, large = sorted((block[at].size, block[at + 1].size))
        if step > _WIDER * near or large > _OTHER_SIZE * small:
            found.append([])
        found[-1].append(block[at + 1])
    return found


def _numbered(word: PlacedWord, block: int, paragraph: int, line: int) -> Word:
    found = Word(
        text=word.text,
        confidence=word.confidence,
        bbox=word.box,
        block=block,
        paragraph=paragraph,
        line=line,
    )
    if word.source is not None:
        found["source"] = word.source
    if word.engine is not None:
        found["engine"] = word.engine
    return found
