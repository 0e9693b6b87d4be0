"""Which recognised words are added to embedded ones."""

from __future__ import annotations

import pytest

from api_gateway.documents.mixing import mix
from service_kit import slant
from service_kit.page import Word, make_page
from service_kit.reading_order import PlacedWord
from tests.pictures.turn import place

SIZE, BASE = 42.0, 540


def embedded(text: str, x0: int, x1: int, high: int) -> PlacedWord:
    return PlacedWord(text, (x0, BASE - high, x1, BASE), origin=(x0, BASE), size=SIZE)


CONTENTS = [
    embedded("Acronyms", 100, 300, 30),
    *(embedded(".", 330 + 30 * at, 335 + 30 * at, 5) for at in range(20)),
    embedded("7", 940, 960, 30),
]


def added(text: str, box: tuple[int, int, int, int]) -> list[str]:
    word = Word(text=text, confidence=60.0, bbox=box, block=1, paragraph=1, line=1)
    recognised = make_page([word], width=1000, height=1000, page_count=1, engine=None, duration_seconds=0.1)
    page, _ = mix(CONTENTS, recognised)
    return [word["text"] for word in page["words"] if word.get("source") == "ocr"]


def test_a_row_of_dots_that_is_read_as_a_word_is_not_added() -> None:
    assert added("ee", (478, 520, 566, 541)) == []
    assert added("2...", (600, 512, 726, 541)) == []
    assert added("0...", (420, 535, 816, 540)) == []


def test_a_word_over_the_row_is_added() -> None:
    assert added("Contents", (478, 460, 566, 495)) == ["Contents"]


@pytest.mark.parametrize(("rotation", "skew"), [(90, 0.0), (180, 0.0), (270, 0.0), (0, 5.0), (90, -4.0)])
def test_a_scan_that_lies_on_its_side_is_put_in_order(rotation: int, skew: float) -> None:
    upright = (2000, 1400) if rotation % 180 else (1400, 2000)
    rows = ["the first line of the scan", "the second line comes here", "and a third one ends it"]
    words = []
    for row, line in enumerate(rows):
        for at, text in enumerate(line.split()):
            x, y = place((300 + 150 * at + 50, 500 + 60 * row), upright, (1400, 2000), rotation, skew)
            width, height = slant.box_of(100, 40, skew)
            sides = (height, width) if rotation % 180 else (width, height)
            box = (
                round(x - sides[0] / 2),
                round(y - sides[1] / 2),
                round(x + sides[0] / 2),
                round(y + sides[1] / 2),
            )
            words.append(Word(text=text, confidence=90.0, bbox=box, block=1, paragraph=1, line=row + 1))
    recognised = make_page(
        words,
        width=1400,
        height=2000,
        page_count=1,
        engine=None,
        duration_seconds=0.1,
        rotation=rotation,
        skew=skew,
    )
    page, source = mix([PlacedWord("12", (680, 1940, 720, 1970))], recognised)
    assert source == "mixed"
    assert (page["rotation"], page["skew"]) == (rotation, skew)
    assert [line for line in page["text"].split("\n") if line] == [*rows, "12"]
