"""Pages with known text: always the same, really on the page, different for tuning and for reporting."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from PIL import Image

from quality import metrics
from quality.page import SPLITS, as_png
from quality.readers import BareTesseract
from quality.sets import SETS
from quality.sheet import Sheet
from quality.vocabulary import GOODS, WORDS, half
from quality.writer import Writer

SEEDS = range(4)


@pytest.fixture(scope="module")
def tesseract() -> BareTesseract:
    return BareTesseract()


def f1(tesseract: BareTesseract, name: str, seed: int) -> float:
    page = SETS[name].draw("reported", seed)
    reading = tesseract.read(page.file, engine="tesseract", languages=("eng",), psm=3)
    return metrics.bag_of_words_f1(page.text, reading.text)


@pytest.mark.parametrize("name", SETS)
def test_the_same_seed_gives_the_same_page(name: str) -> None:
    first, second = (SETS[name].draw("reported", 3) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", SETS)
def test_other_seeds_and_the_other_family_give_other_pages(name: str) -> None:
    pages = [SETS[name].draw(split, seed) for split in SPLITS for seed in SEEDS]
    assert len({page.file for page in pages}) == len(pages)
    assert all(metrics.bag_of_words(page.text) for page in pages)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_clean_page_says_is_on_it(tesseract: BareTesseract, seed: int) -> None:
    assert f1(tesseract, "clean", seed) > 0.98


@pytest.mark.parametrize(
    ("name", "least"), [("columns", 0.95), ("forms", 0.6), ("tables", 0.6), ("charts", 0.8), ("receipts", 0.5)]
)
def test_what_a_harder_page_says_can_be_read(tesseract: BareTesseract, name: str, least: float) -> None:
    assert f1(tesseract, name, 0) > least


@pytest.mark.parametrize("words", [WORDS, GOODS])
def test_the_two_families_have_no_words_in_common(words: tuple[str, ...]) -> None:
    reported, tuning = (set(half(words, split)) for split in SPLITS)
    assert not reported & tuning
    assert reported | tuning == set(words)


def test_the_two_families_have_no_typefaces_in_common() -> None:
    faces = [
        {
            face
            for seed in range(20)
            for writer in [Writer(split, "x", seed)]
            for family in (writer.sans, writer.serif, writer.mono)
            for face in family
        }
        for split in SPLITS
    ]
    assert not faces[0] & faces[1]


def test_turned_clockwise_by_its_rotation_a_page_is_upright() -> None:
    upright, *turned = (SETS["turned"].draw("reported", seed) for seed in range(4))
    expected = Image.open(io.BytesIO(upright.file))
    assert [page.rotation for page in turned] == [90, 180, 270]
    for page in turned:
        image = Image.open(io.BytesIO(page.file)).rotate(-page.rotation, expand=True)
        assert image.tobytes() == expected.tobytes()


def test_every_group_of_a_set_is_in_a_whole_run() -> None:
    groups = Counter(SETS["resolution"].draw("reported", seed).group for seed in range(SETS["resolution"].pages))
    assert list(groups) == ["72 dpi", "100 dpi", "150 dpi", "200 dpi", "300 dpi", "400 dpi", "600 dpi"]
    assert set(groups.values()) == {2}


def test_a_turned_line_runs_upwards_from_its_place() -> None:
    sheet = Sheet((100, 100), 72)
    sheet.write((50, 90), "Margin", "DejaVuSans", 12, turned=True)
    left, top, right, bottom = Image.eval(sheet.image, lambda level: 255 - level).getbbox() or (0, 0, 0, 0)
    assert 35 < left < right <= 55
    assert 30 < top < bottom <= 90
    assert as_png(sheet.picture()).text == "Margin"
