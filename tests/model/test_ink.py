"""Where a page has ink: whether words explain all of it, and where it can be cut."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model_server.reading import engines
from model_server.reading.image import PageImage
from model_server.reading.ink import Ink
from service_kit.page import Parameters, Word
from tests.pictures import degrade, render, text
from tests.pictures.layout import SERIF, Line, draw, font, wrap

TESSDATA = Path(sys.prefix) / "share" / "tessdata"
SIZE = (1240, 1754)  # A4 at 150 dpi
LEFT, TOP, STEP, BETWEEN, PRINT = 120, 120, 36, 30, 24


def grey(image: Image.Image) -> PageImage:
    return PageImage(image.tobytes(), image.width, image.height, 150)


def paragraphs(*lengths: int, left: float = LEFT, width: float = SIZE[0] - 2 * LEFT) -> list[list[Line]]:
    """Paragraphs of so many lines of text, one below the other."""
    rng, y, found = Random(1), TOP, []
    for length in lengths:
        rows = wrap(text.paragraph(rng, 3 * length), SERIF, PRINT, width)[:length]
        found.append([Line(row, left, y + STEP * at, SERIF, PRINT) for at, row in enumerate(rows)])
        y += STEP * length + BETWEEN
    return found


def words(lines: Sequence[Line]) -> list[Word]:
    """The words of drawn lines, with boxes around their ink."""
    found: list[Word] = []
    for number, line in enumerate(lines, 1):
        face, x = font(line.face, line.size), line.x
        for word in line.text.split():
            x0, y0, x1, y1 = face.getbbox(word)
            box = (int(x + x0), int(line.y + y0), int(x + x1) + 1, int(line.y + y1) + 1)
            found.append(
                {"text": word, "confidence": 96.0, "bbox": box, "block": 1, "paragraph": 1, "line": number}
            )
            x += face.getlength(word + " ")
    return found


LINES = [line for lines in paragraphs(5, 6, 4) for line in lines]
SHEET = draw(LINES, SIZE)


@pytest.mark.parametrize("picture", [render.label(1), render.page(1), render.receipt(1), render.a4(1, 150)])
def test_a_clean_page_is_all_in_the_words_that_tesseract_reads(
    monkeypatch: pytest.MonkeyPatch, picture: render.Picture
) -> None:
    monkeypatch.setitem(os.environ, "OMP_THREAD_LIMIT", "1")
    image = grey(picture.image)
    found = engines.make("tesserocr", TESSDATA).read(image, Parameters())
    ink = Ink(image)
    assert ink.is_all_in(found)
    for place in {(word["block"], word["paragraph"], word["line"]) for word in found}:
        others = [word for word in found if (word["block"], word["paragraph"], word["line"]) != place]
        assert not ink.is_all_in(others), place


@pytest.mark.parametrize(("ground", "print_"), [(255, 230), (230, 205), (0, 25), (60, 85), (40, 255)])
def test_faint_print_and_light_print_are_ink(ground: int, print_: int) -> None:
    levels = [print_ + (ground - print_) * level // 255 for level in range(256)]
    ink = Ink(grey(SHEET.point(levels)))
    assert ink.is_all_in(words(LINES))
    for missed in LINES:
        assert not ink.is_all_in(words([line for line in LINES if line is not missed])), missed.text


def faint_last_line() -> Image.Image:
    """Black print but for one line, whose contrast is 25."""
    faint = draw(LINES[-1:], SIZE).point([230 + 25 * level // 255 for level in range(256)])
    return Image.fromarray(np.minimum(np.asarray(draw(LINES[:-1], SIZE)), np.asarray(faint)))


def test_small_print_under_large_print_counts() -> None:
    poster = [Line("GRAND OPENING", 120, 300, SERIF, 110), Line("on Saturday", 120, 500, SERIF, 110)]
    small = Line("Doors open at nine. No dogs, no cameras.", 120, 1600, SERIF, 22)
    sheet = grey(draw([*poster, small], SIZE))
    assert Ink(sheet).is_all_in(words([*poster, small]))
    assert not Ink(sheet).is_all_in(words(poster))


def test_one_faint_line_on_a_page_of_black_print_is_ink() -> None:
    ink = Ink(grey(faint_last_line()))
    assert ink.is_all_in(words(LINES))
    assert not ink.is_all_in(words(LINES[:-1]))


def ruled(pen: ImageDraw.ImageDraw) -> None:
    pen.line((60, 1000, 1180, 1000), fill=0, width=4)
    pen.line((80, 1010, 80, 1600), fill=0, width=3)


def framed(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle((40, 40, 1200, 1714), outline=0, width=5)


def tabular(pen: ImageDraw.ImageDraw) -> None:
    for y in range(1000, 1560, 61):
        pen.line((120, y, 1080, y), fill=0, width=3)
    for x in range(120, 1200, 160):
        pen.line((x, 1000, x, 1549), fill=0, width=3)


def specked(pen: ImageDraw.ImageDraw) -> None:
    rng = Random(1)
    for x in range(40, 1200, 100):
        for y in range(1000, 1700, 100):
            size = rng.randrange(1, 4)
            pen.ellipse((x, y, x + size, y + size), fill=0)


@pytest.mark.parametrize("draws", [ruled, framed, tabular, specked])
def test_rules_frames_and_specks_are_no_text(draws: Callable[[ImageDraw.ImageDraw], None]) -> None:
    image = SHEET.copy()
    draws(ImageDraw.Draw(image))
    ink = Ink(grey(image))
    assert ink.is_all_in(words(LINES))
    assert not ink.is_all_in(words(LINES[1:])), "they do not hide text"


def test_a_noisy_page_and_a_photograph_are_never_all_in_their_words() -> None:
    everything: list[Word] = [
        {"text": "x", "confidence": 99.0, "bbox": (0, 0, 9000, 9000), "block": 1, "paragraph": 1, "line": 1}
    ]
    assert Ink(grey(SHEET)).is_all_in(everything)
    assert not Ink(grey(degrade.noise(SHEET, 1, 8))).is_all_in(everything)
    assert not Ink(grey(render.photo(1).image.convert("L"))).is_all_in(everything)


@pytest.mark.parametrize("ground", [0, 200, 255])
@pytest.mark.parametrize("size", [(1, 1), (3, 2000), SIZE])
def test_a_blank_page_has_no_ink(size: tuple[int, int], ground: int) -> None:
    assert Ink(grey(Image.new("L", size, ground))).is_all_in([])


def test_a_page_on_which_no_word_was_found_has_ink() -> None:
    assert not Ink(grey(SHEET)).is_all_in([])


@pytest.mark.parametrize("parts", [2, 3, 4])
def test_a_page_is_cut_between_paragraphs_into_about_equal_parts(parts: int) -> None:
    drawn = paragraphs(4, 3, 5, 4, 3, 6, 4, 3, 4, 2)
    cuts = Ink(grey(draw([line for lines in drawn for line in lines], SIZE))).cuts(parts)
    assert len(cuts) == parts - 1
    between = [(above[-1].y + STEP * 0.9, below[0].y) for above, below in pairwise(drawn)]
    for cut in cuts:
        assert any(start < cut <= end for start, end in between), cut
    tops = [line.y for lines in drawn for line in lines]
    for number, cut in enumerate(cuts, 1):
        above = sum(top < cut for top in tops) / len(tops)
        assert above == pytest.approx(number / parts, abs=0.4 / parts)


def columns(lower: float = 0) -> Image.Image:
    """Paragraphs side by side, their lines at the same heights, or half a line apart."""
    left, right = paragraphs(4, 4, 4, 4, 4, width=440), paragraphs(4, 4, 4, 4, 4, left=680, width=440)
    lines = [line for lines in left for line in lines]
    return draw([*lines, *(line._replace(y=line.y + lower) for lines in right for line in lines)], SIZE)


def with_a_picture() -> Image.Image:
    levels = np.random.default_rng(1).integers(0, 255, (12, 16), dtype=np.uint8)
    image = SHEET.copy()
    image.paste(Image.fromarray(levels).resize((600, 400), Image.Resampling.BICUBIC), (200, 900))
    return image


def with_a_table() -> Image.Image:
    image = SHEET.copy()
    tabular(ImageDraw.Draw(image))
    return image


def with_dates() -> Image.Image:
    """Lines in the right half between two paragraphs: they may belong to a column."""
    above, dates, below = paragraphs(6, 3, 6)
    dates = [line._replace(text="7 May 1901", x=900) for line in dates]
    return draw([*above, *dates, *below], SIZE)


@pytest.mark.parametrize(
    "image",
    [
        columns(),
        columns(STEP / 2),
        with_a_picture(),
        with_a_table(),
        with_dates(),
        draw(paragraphs(30)[0], SIZE),
        degrade.noise(SHEET, 1, 8),
        Image.new("L", SIZE, 255),
    ],
    ids=["columns", "uneven columns", "picture", "table", "dates", "one paragraph", "noisy", "blank"],
)
def test_a_page_whose_parts_belong_together_is_not_cut(image: Image.Image) -> None:
    assert Ink(grey(SHEET)).cuts(2)
    assert not Ink(grey(image)).cuts(2)


@pytest.mark.parametrize("parts", [2, 3, 4])
@pytest.mark.parametrize("lines", range(1, 9))
def test_few_lines_are_not_cut(lines: int, parts: int) -> None:
    first = lines // 2
    image = draw([line for part in paragraphs(first, lines - first) for line in part], SIZE)
    cuts = Ink(grey(image)).cuts(parts)
    assert not cuts or lines >= 2 * parts
