"""The invisible text is found by PDFium and by Poppler, with a rectangle over each word, however a page lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service_kit.page import Word
from tests.documents import make
from tests.documents.composing import compose, in_pdfium, page, poppler, word

A4_POINTS = 595.28, 841.89
SIZE = 1240, 1754
SCALE = A4_POINTS[0] / SIZE[0]
NEAR_POINTS = 2.0


def across() -> Iterator[Word]:
    for line in range(3):
        for at in range(4):
            yield word(
                f"across{line}{at}", (100 + 180 * at, 100 + 60 * line, 260 + 180 * at, 140 + 60 * line), line
            )


def down() -> Iterator[Word]:
    for line in range(2):
        for at in range(3):
            yield word(f"down{line}{at}", (600 - 60 * line, 150 + 200 * at, 640 - 60 * line, 300 + 200 * at), line)


def up() -> Iterator[Word]:
    for line in range(2):
        for at in range(3):
            yield word(f"up{line}{at}", (600 + 60 * line, 800 - 200 * at, 640 + 60 * line, 950 - 200 * at), line)


def back() -> Iterator[Word]:
    for at in range(4):
        yield word(f"back{at}", (1000 - 180 * at, 500, 1160 - 180 * at, 540))


def slanted() -> Iterator[Word]:
    """Lines that rise by one pixel in twenty."""
    for line in range(3):
        for at in range(6):
            x, y = 100 + 130 * at, 800 + 60 * line - 6 * at
            yield word(f"slanted{line}{at}", (x, y - 36, x + 110, y), line)


def small() -> Iterator[Word]:
    """Lines of 4 points."""
    for line in range(3):
        for at in range(5):
            yield word(
                f"small{line}{at}", (100 + 50 * at, 1100 + 12 * line, 144 + 50 * at, 1108 + 12 * line), line
            )


@pytest.mark.parametrize("lines", [across, down, up, back, slanted, small])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_each_word_is_found_where_it_is_seen(
    lines: Callable[[], Iterator[Word]], degrees: int, tmp_path: Path
) -> None:
    size = SIZE if degrees % 180 == 0 else SIZE[::-1]
    words = [*lines()]
    made = compose(tmp_path, make.turned(make.sized(*A4_POINTS), degrees), page(words, *size))
    in_poppler = dict(poppler(made, tmp_path)[0])
    for text, places in in_pdfium(made, words, size).items():
        (box,) = (one["bbox"] for one in words if one["text"] == text)
        (place,) = places
        assert place == pytest.approx(box, abs=NEAR_POINTS / SCALE), text
        assert in_poppler[text] == pytest.approx([side * SCALE for side in box], abs=NEAR_POINTS), text
