"""The invisible text of a page: each word at its position, as PDF operators.

The layer uses text rendering mode 3, which draws nothing. A selection in a viewer covers the visible word, and a
search finds phrases: each word except the last of a line ends with a space.

The direction of a line is computed from its words. The words of a slanted line are horizontal, each at its own
position: Poppler and others split a word whose letters rise by more than half a point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from service_kit import slant
from service_kit.page import Word

Box = tuple[int, int, int, int]
Matrix = tuple[float, float, float, float, float, float]  # a b c d e f, as in PDF

GLYPH_WIDTH = 0.5  # relative to the font size, as in invisible_font.py
_UPRIGHT = 1.5  # times as high as wide: a word of several letters that runs vertically


class _Way(NamedTuple):
    """The direction of a line on the picture, x to the right and y up: usually (1, 0)."""

    x: int
    y: int


_ACROSS, _BACK, _UP, _DOWN = _Way(1, 0), _Way(-1, 0), _Way(0, 1), _Way(0, -1)


def operators(
    words: Sequence[Word],
    page: Matrix,
    size: tuple[int, int],
    encode: Callable[[str], bytes],
    font: str,
    skew: float = 0.0,
) -> bytes:
    """Make the whole layer.

    Args:
        words: in reading order; their boxes in pixels from the upper left corner of the upright picture.
        page: matrix from pixels, with y up from the lower edge, to the page's own space.
        size: width and height of the picture in pixels.
        encode: text to the font's codes, as the hexadecimal digits of a PDF string.
        font: its name in the page's resources.
        skew: of the lines, in degrees.
    """
    parts = [f"q {_numbers(page)} cm BT 3 Tr /{font} 1 Tf".encode()]
    for line in _lines(words):
        way = _way(line)
        for at, word in enumerate(line):
            text = word["text"] + (" " if at + 1 < len(line) else "")
            parts.append(_word(word, text, way, _inside(word["bbox"], size, skew), size[1], encode))
    return b"\n".join([*parts, b"ET Q\n"])


def to_page(width: int, height: int, box: tuple[float, float, float, float], turned: int) -> Matrix:
    """From pixels of the upright page, y up, to the space of a page with this clockwise rotation."""
    left, bottom, right, top = box
    across, up = right - left, top - bottom
    if turned == 90:
        return 0, up / width, -across / height, 0, right, bottom
    if turned == 180:
        return -across / width, 0, 0, -up / height, right, top
    if turned == 270:
        return 0, -up / width, across / height, 0, left, top
    return across / width, 0, 0, up / height, left, bottom


def _lines(words: Sequence[Word]) -> Iterator[list[Word]]:
    for _, line in groupby(words, itemgetter("block", "paragraph", "line")):
        yield [word for word in line if word["text"].strip()]


def _way(line: Sequence[Word]) -> _Way:
    if not line:
        return _ACROSS
    first, last = _centre(line[0]), _centre(line[-1])
    across, down = last[0] - first[0], last[1] - first[1]
    if len(line) == 1:
        x0, y0, x1, y1 = line[0]["bbox"]
        return _UP if len(line[0]["text"]) > 2 and y1 - y0 > _UPRIGHT * (x1 - x0) else _ACROSS
    if abs(down) > abs(across):
        return _DOWN if down > 0 else _UP
    return _BACK if across < 0 and not _from_right_to_left(line) else _ACROSS


def _from_right_to_left(line: Sequence[Word]) -> bool:
    """Hebrew, Arabic and related scripts: their lines run from right to left although they are upright."""
    return any("\u0590" <= letter <= "\u08ff" for word in line for letter in word["text"])


def _word(
    word: Word, text: str, way: _Way, box: Sequence[float], height: int, encode: Callable[[str], bytes]
) -> bytes:
    left, y0, right, y1 = box
    bottom, top = height - y1, height - y0
    long, high = (right - left, top - bottom) if way.x else (top - bottom, right - left)
    start = {_ACROSS: (left, bottom), _BACK: (right, top), _UP: (right, bottom), _DOWN: (left, top)}[way]
    stretch = 100 * long / (GLYPH_WIDTH * high * len(word["text"]))
    matrix = (high * way.x, high * way.y, -high * way.y, high * way.x, *start)
    return b"%b Tm %b Tz <%b> Tj" % (_numbers(matrix).encode(), _number(stretch).encode(), encode(text))


def _inside(box: Box, size: tuple[int, int], skew: float) -> tuple[float, float, float, float]:
    """The part of the box inside the picture, at least one pixel: an engine may give a wrong box.

    That of a slanting word is made as high as the word.
    """
    (x0, x1), (y0, y1) = (
        (max(0, min(start, side - 1)), min(end, side))
        for start, end, side in zip(box[:2], box[2:], size, strict=True)
    )
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    if not skew:
        return x0, y0, x1, y1
    middle, half = (y0 + y1) / 2, min(y1 - y0, slant.word_in(x1 - x0, y1 - y0, skew)[1]) / 2
    return x0, middle - half, x1, middle + half


def _centre(word: Word) -> tuple[float, float]:
    x0, y0, x1, y1 = word["bbox"]
    return (x0 + x1) / 2, (y0 + y1) / 2


def _numbers(values: Sequence[float]) -> str:
    return " ".join(map(_number, values))


def _number(value: float) -> str:
    return f"{value:.5f}".rstrip("0").rstrip(".")
