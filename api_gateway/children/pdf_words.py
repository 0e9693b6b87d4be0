"""Letters of a page become words by the gaps between them.

Letters that follow each other in the file and on the baseline make pieces; pieces that touch make words. Lengths
are compared with the size of the font. The time grows with the number of letters as that of sorting does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, pairwise
from operator import itemgetter
from typing import NamedTuple

from api_gateway.children import pdf_marks, pdf_vertical
from api_gateway.children.pdf_letters import NO_SPACE, SPACE, Letter
from service_kit.reading_order import PlacedWord
from service_kit.writing import is_rtl, logical

# The widest gap within a word, in sizes of the font, if the file has no space at the gap, if PDFium inserted one,
# and if the file has one: a space that takes no room does not part a word.
_WIDEST = (0.13, 0.1, 0.06)
_OVERLAP = 0.25  # how far letters of a word may overlap
_NARROWEST = 0.05
_SAME_LINE = 0.1
_RAISED = 0.65  # how far the baseline of a raised or lowered character is from that of the word
_MOST_RATIO = 2.2  # between the sizes of two letters in a word
_BENT = 25  # degrees between two letters of a word on a curve
_SPACED_LETTERS = 4  # fewer single letters are no word whose letters are spaced out
_SPACED = 0.5  # the widest gap between letters that are spaced out
_UNEVEN = 0.08
_FIRST_RTL = "\u0590"


class _Piece(NamedTuple):
    """Letters from `first` to `last`, excluded; `start` and `end` along the baseline, which is at `level`."""

    angle: float
    level: float
    start: float
    end: float
    size: float
    first: int
    last: int


def words(letters: Sequence[Letter], width: int, height: int) -> list[PlacedWord]:
    """The words that are on a page of `width` by `height` pixels, in the order of their first letters."""
    letters = pdf_vertical.turned(pdf_marks.attached(letters))
    pieces = _pieces(letters)
    rows = _rows(pieces)
    if overlapping := _overlapping(letters, pieces, rows):
        letters = pdf_marks.without_copies(letters, [pieces[at][5:] for at in overlapping])
        pieces = _pieces(letters)
        rows = _rows(pieces)
    links = _Links(len(pieces))
    _join_raised(letters, pieces, links)
    for row in rows:
        _join(letters, pieces, row, links)
    found = (_placed(letters, [pieces[at] for at in word], width, height) for word in links.chains())
    return [word for word in found if word is not None]


def _pieces(letters: Sequence[Letter]) -> list[_Piece]:
    found: list[_Piece] = []
    cosine, sine = 1.0, 0.0
    turned = start = end = level = em = place = 0.0
    glyph = None
    first = 0
    for index, (text, box, (x, y), advance, angle, size, space, _) in enumerate(letters):
        if angle != turned:
            cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        if sine:
            x, y = x * cosine - y * sine, x * sine + y * cosine  # noqa: PLW2901 - a hot loop
        if index > first and angle == turned and size == em and -_SAME_LINE * em < y - level < _SAME_LINE * em:
            if box == glyph:  # another letter of the same glyph
                continue
            if (
                -_OVERLAP * em < x - end < _WIDEST[space] * em
                and (text < _FIRST_RTL or not is_rtl(text))
                and (x - place > pdf_marks.COPY * em or text != letters[index - 1][0])
            ):
                glyph, place, end = box, x, x + advance
                continue
        if index > first:
            found.append(_Piece(turned, level, start, end, em, first, index))
        first, turned, em, level, start, place, end, glyph = index, angle, size, y, x, x, x + advance, box
    if letters:
        found.append(_Piece(turned, level, start, end, em, first, len(letters)))
    return found


def _rows(pieces: Sequence[_Piece]) -> list[list[int]]:
    """The pieces of each baseline, from its start."""
    found: list[list[int]] = []
    turned = level = math.nan
    for at in sorted(range(len(pieces)), key=pieces.__getitem__):
        piece = pieces[at]
        if piece.angle != turned or not piece.level - level < _SAME_LINE * piece.size:
            found.append([])
        turned, level = piece.angle, piece.level
        found[-1].append(at)
    for row in found:
        row.sort(key=lambda at: pieces[at].start)
    return found


def _overlapping(letters: Sequence[Letter], pieces: Sequence[_Piece], rows: Sequence[Sequence[int]]) -> set[int]:
    """Pieces that overlap another one of their row: the letters of one may be copies of the other's."""
    found: set[int] = set()
    for row in rows:
        widest = row[0]
        for at in row[1:]:
            over = pieces[widest].end - pieces[at].start
            if over > _OVERLAP * pieces[at].size or (
                over > _NARROWEST * pieces[at].size
                and letters[pieces[widest].last - 1].text == letters[pieces[at].first].text
            ):
                found |= {at, widest}
            if pieces[at].end > pieces[widest].end:
                widest = at
    return found


class _Links:
    """Which piece follows which in a word."""

    def __init__(self, count: int) -> None:
        self._next = [-1] * count
        self._before = [-1] * count

    def add(self, one: int, other: int) -> None:
        if self._next[one] < 0 and self._before[other] < 0:
            self._next[one], self._before[other] = other, one

    def chains(self) -> Iterator[list[int]]:
        """The pieces of each word, in the order of the first one that the file has."""
        seen = [False] * len(self._next)
        for at in range(len(self._next)):
            if seen[at]:
                continue
            head, seen[at] = at, True
            while self._before[head] >= 0 and not seen[self._before[head]]:
                head = self._before[head]
                seen[head] = True
            word = [head]
            while self._next[word[-1]] >= 0 and self._next[word[-1]] != head:
                word.append(self._next[word[-1]])
                seen[word[-1]] = True
            yield word


def _join_raised(letters: Sequence[Letter], pieces: Sequence[_Piece], links: _Links) -> None:
    """Join pieces of different baselines or directions that the file has one after the other."""
    for at, (one, other) in enumerate(pairwise(pieces)):
        small, large = sorted((one.size, other.size))
        if large > _MOST_RATIO * small:
            continue
        space = letters[other.first].space
        if one.angle == other.angle:
            joined = (
                _SAME_LINE * small <= abs(one.level - other.level) < _RAISED * large
                and -_OVERLAP * small < other.start - one.end < _WIDEST[space] * large
            )
        else:
            joined = space != SPACE and _bent(letters[one.last - 1], letters[other.first])
        if joined:
            links.add(at, at + 1)


def _bent(one: Letter, other: Letter) -> bool:
    """Whether two letters touch on a curve."""
    turn = abs(one.angle - other.angle)
    if min(turn, 360 - turn) > _BENT:
        return False
    angle = math.radians(one.angle)
    end = (one.origin[0] + one.advance * math.cos(angle), one.origin[1] - one.advance * math.sin(angle))
    return math.dist(end, other.origin) < _OVERLAP * one.size


def _join(letters: Sequence[Letter], pieces: Sequence[_Piece], row: Sequence[int], links: _Links) -> None:
    """Join the pieces of a baseline that touch, and letters that are spaced out evenly."""
    spaced: list[tuple[int, int, float]] = []
    for one, other in pairwise(row):
        a, b = pieces[one], pieces[other]
        small, large = (a.size, b.size) if a.size < b.size else (b.size, a.size)
        gap = b.start - a.end
        if gap > 2 * large or abs(a.level - b.level) > _SAME_LINE * small or large > _MOST_RATIO * small:
            _join_spaced(spaced, links)
            continue
        space = NO_SPACE
        if abs(one - other) == 1:
            space = letters[max(a.first, b.first)].space
        if gap < _WIDEST[space] * large:
            if gap > -_OVERLAP * large:
                links.add(one, other)
            _join_spaced(spaced, links)
        elif space != SPACE and _is_single(letters, a) and _is_single(letters, b):
            spaced.append((one, other, gap / large))
        else:
            _join_spaced(spaced, links)
    _join_spaced(spaced, links)


def _is_single(letters: Sequence[Letter], piece: _Piece) -> bool:
    return piece.last - piece.first == 1 and letters[piece.first].text.isalpha()


def _join_spaced(spaced: list[tuple[int, int, float]], links: _Links) -> None:
    """Join a run of single letters if nearly all gaps are the same; and forget it."""
    if len(spaced) >= _SPACED_LETTERS - 1:
        least = min(gap for _, _, gap in spaced)
        even = [(one, other) for one, other, gap in spaced if gap < least + _UNEVEN]
        if least < _SPACED and len(even) >= max(_SPACED_LETTERS - 1, len(spaced) // 2):
            for one, other in even:
                links.add(one, other)
    spaced.clear()


def _placed(letters: Sequence[Letter], pieces: Sequence[_Piece], width: int, height: int) -> PlacedWord | None:
    """The word of these pieces; None if it is not on the page."""
    if len(pieces) == 1:
        own = letters[pieces[0].first : pieces[0].last]
    else:
        own = [*chain.from_iterable(letters[piece.first : piece.last] for piece in pieces)]
    texts, boxes, *_ = zip(*own, strict=True)
    text = "".join(texts)
    if not text:
        return None
    if not text.isascii() and is_rtl(text):
        text = logical(
            [
                "".join(text for text, _ in glyph)
                for _, glyph in groupby(zip(texts, boxes, strict=True), itemgetter(1))
            ]
        )
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    left, top, right, bottom = min(lefts), min(tops), max(rights), max(bottoms)
    if not (0 <= left + right < 2 * width and 0 <= top + bottom < 2 * height):
        return None
    x0, y0 = max(0, round(min(left, width - 1))), max(0, round(min(top, height - 1)))
    x1, y1 = max(x0 + 1, round(min(right, width))), max(y0 + 1, round(min(bottom, height)))
    base = pieces[0] if len(pieces) == 1 else max(pieces, key=lambda piece: piece.size)
    first = letters[base.first]
    return PlacedWord(text, (x0, y0, x1, y1), 100.0, None, first.angle, first.origin, first.size)
