"""Which parts of a page are read one after the other: columns from their start to their end, tables row by row.

A page is cut into bands at lines that cross its gutters, a band into columns at its gutters, and each column
again.
"""

from __future__ import annotations

from bisect import bisect_left as bisect
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

_GUTTER = 0.8  # sizes; columns of scientific papers are 1 apart
_NARROW = 0.5  # sizes: of a line where the lines above have a gutter; a space has 0.3
_SHARED = 0.2  # sizes: what the gutters of two lines have in common, where columns are ragged or askew
_MOST_GUTTERS = 12
_FEW = 3  # lines, or words
_APART = 2.0  # sizes between the lines of two bands
_DEPTH = 8
_ROW = 0.52  # sizes; raised and lowered characters are this far from their baseline
_LOW = 0.6  # sizes; the height of a small letter: ascenders and descenders of near lines overlap
_ALIGNED = 0.33  # sizes between the baselines of a row of a table
_MOSTLY = 0.6
_PROSE = 3.0  # words in a line of a column of text, at least
_LONG = 5.0  # the same for a column of one or two lines
_PHRASE = 2.0
_WORD = 4.0  # sizes

_INFINITY = float("inf")


class Item(NamedTuple):
    """A word in the frame of its line's direction: `start` and `end` along the baseline, `base` down the page."""

    base: float
    start: float
    end: float
    size: float
    place: int  # in the input


Row = list[Item]
_Gap = tuple[float, float]


class _Band(NamedTuple):
    """Lines that follow each other, and the gaps that all of them leave."""

    items: list[Item]
    gaps: list[_Gap]
    bottom: float


def rows(items: Sequence[Item]) -> list[Row]:
    """The lines, each from left to right. The largest word of a line says where its baseline is."""
    found: list[Row] = []
    base = size = -_INFINITY
    for item in sorted(items):
        if found and item.base - base <= _ROW * max(size, item.size):
            found[-1].append(item)
            if item.size > size:
                base, size = item.base, item.size
        else:
            found.append([item])
            base, size = item.base, item.size
    for row in found:
        row.sort(key=attrgetter("start"))
    return found


def in_order(items: Sequence[Item], *, rtl: bool, depth: int = 0) -> Iterator[Row]:
    """The lines in reading order; columns from right to left if `rtl`."""
    if len(items) < _FEW or depth > _DEPTH:
        yield from rows(items)
        return
    em = sorted(item.size for item in items)[len(items) // 2] or 1.0
    plain: list[Item] = []  # bands without columns make one run of lines
    for band, cuts in _with_cuts(_bands(items, em), em):
        if not cuts:
            plain += band.items
            continue
        yield from rows(plain)
        plain = []
        columns = _split(band.items, cuts)
        for column in reversed(columns) if rtl else columns:
            yield from in_order(column, rtl=rtl, depth=depth + 1)
    yield from rows(plain)


def _bands(items: Sequence[Item], em: float) -> list[_Band]:
    """Runs of lines that have a gutter in common, and runs of lines without one."""
    found: list[_Band] = []
    band: _Band | None = None
    for line, top, bottom in _lines(items):
        gaps = _gaps(line, _GUTTER, em)
        if band is not None and top - band.bottom < _APART * em:
            common = _common(band.gaps, _gaps(line, _NARROW, em), _SHARED * em)
            if _inner(common) or not (_inner(band.gaps) or _inner(gaps)):
                band.items.extend(line)
                band = _Band(band.items, common, bottom)
                found[-1] = band
                continue
        band = _Band(line, gaps, bottom)
        found.append(band)
    return found


def _with_cuts(bands: Sequence[_Band], em: float) -> list[tuple[_Band, list[float]]]:
    """Each band with the places where it is cut into columns; bands that only a space parts become one."""
    found: list[tuple[_Band, list[float]]] = []
    for band in bands:
        cuts = _cuts(band, em)
        if cuts and found and found[-1][1]:
            above = found[-1][0]
            common = _common(above.gaps, band.gaps, _SHARED * em)
            if _inner(common):
                whole = _Band([*above.items, *band.items], common, band.bottom)
                found[-1] = (whole, _cuts(whole, em))
                continue
        found.append((band, cuts))
    return found


def _lines(items: Sequence[Item]) -> Iterator[tuple[list[Item], float, float]]:
    """Words between two spaces across, with their top and bottom: lines, unless columns have different lines."""
    line: list[Item] = []
    top = bottom = -_INFINITY
    for item in sorted(items, key=lambda item: item.base - _LOW * item.size):
        height = item.base - _LOW * item.size
        if line and height >= bottom:
            yield line, top, bottom
            line = []
        if not line:
            top, bottom = height, item.base
        line.append(item)
        bottom = max(bottom, item.base)
    if line:
        yield line, top, bottom


def _gaps(line: Sequence[Item], least: float, em: float) -> list[_Gap]:
    """The gaps between the words, with those before the first and after the last."""
    found = []
    end, size = -_INFINITY, 0.0
    for item in sorted(line, key=attrgetter("start")):
        if item.start - end >= least * max(em, min(size, item.size)):  # large print has large spaces
            found.append((end, item.start))
        if item.end > end:
            end, size = item.end, item.size
    return [*found, (end, _INFINITY)]


def _common(some: Sequence[_Gap], others: Sequence[_Gap], least: float) -> list[_Gap]:
    found = []
    one = other = 0
    while one < len(some) and other < len(others):
        start, end = max(some[one][0], others[other][0]), min(some[one][1], others[other][1])
        if end - start >= least:
            found.append((start, end))
        if some[one][1] < others[other][1]:
            one += 1
        else:
            other += 1
    return found


def _inner(gaps: Sequence[_Gap]) -> list[_Gap]:
    """The gaps with words on both sides."""
    return [gap for gap in gaps if gap[0] > -_INFINITY and gap[1] < _INFINITY]


def _cuts(band: _Band, em: float) -> list[float]:
    """The middles of the gutters that part columns."""
    widest = sorted(_inner(band.gaps), key=lambda gap: gap[0] - gap[1])[:_MOST_GUTTERS]
    return sorted(
        (start + end) / 2 for start, end in widest if _are_columns(*_split(band.items, [(start + end) / 2]), em=em)
    )


def _split(items: Sequence[Item], cuts: Sequence[float]) -> list[list[Item]]:
    found: list[list[Item]] = [[] for _ in range(len(cuts) + 1)]
    for item in items:
        found[bisect(cuts, item.start)].append(item)
    return found


def _are_columns(left: Sequence[Item], right: Sequence[Item], *, em: float) -> bool:
    """Whether to read all of `left` before `right`, and not each line across both, as in a table."""
    sides = rows(left), rows(right)
    bases = [[max(row, key=attrgetter("size")).base for row in side] for side in sides]
    short, long = sorted(bases, key=len)
    together = min(short[-1], long[-1]) - max(short[0], long[0])
    if together < 0 or (len(short) > 1 and together < (short[-1] - short[0]) / 2):
        return False  # one is below the other
    if not any(_is_near(base, long, em) for base in short):
        return False  # each of its lines stands alone, between the other's
    paired = sum(_is_near(base, long, _ALIGNED * em) for base in short)
    if paired < _MOSTLY * len(short):
        return True
    if len(long) < _FEW:
        return False
    lengths = [_phrase(side, em) for side in sides]
    if all(
        length >= (_PROSE if len(side) >= _FEW else _LONG) for length, side in zip(lengths, sides, strict=True)
    ):
        return True
    # Neither is sure. A program that writes a table writes its rows, and one that writes columns writes columns.
    one_by_one = max(item.place for item in left) < min(item.place for item in right)
    return one_by_one and len(short) >= _FEW and min(lengths) >= _PHRASE


def _is_near(base: float, others: Sequence[float], reach: float) -> bool:
    at = bisect(others, base - reach)
    return at < len(others) and others[at] <= base + reach


def _phrase(side: Sequence[Row], em: float) -> float:
    """The words of the longest phrase of a line, on average; a word as long as a phrase counts as several."""
    total = 0
    for row in side:
        longest = run = 0
        end = _INFINITY
        for item in row:
            words = max(1, int((item.end - item.start) / (_WORD * item.size)) if item.size else 1)
            run = words + (run if item.start - end < _GUTTER * em else 0)
            end = item.end
            longest = max(longest, run)
        total += longest
    return total / len(side)
