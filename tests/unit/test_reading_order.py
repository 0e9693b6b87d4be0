"""The order of words and their numbers, from places alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.page import Word, text_of
from service_kit.reading_order import PlacedWord, arrange

PROSE = ["some words of a text that goes on and on".split()[at:] for at in range(4)]  # noqa: SIM905


def line(x: float, y: float, text: str, size: int = 20) -> list[PlacedWord]:
    """Words as recognition gives them: boxes around the ink, without a baseline."""
    found = []
    for word in text.split():
        high = 0.75 if any(letter in "bdfhkltABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" for letter in word) else 0.55
        low = 0.2 if any(letter in "gjpqy" for letter in word) else 0.0
        end = x + len(word) * size / 2
        found.append(
            PlacedWord(word, (round(x), round(y - high * size), round(end), round(y + low * size)), 90.0, "ocr")
        )
        x = end + size / 4
    return found


def page(*lines: Iterable[PlacedWord]) -> list[PlacedWord]:
    return [word for words in lines for word in words]


def read(words: Sequence[PlacedWord]) -> list[str]:
    return [text for text in text_of(arrange(words)).split("\n") if text]


def numbers(words: Sequence[Word]) -> list[tuple[int, int, int]]:
    return [(word["block"], word["paragraph"], word["line"]) for word in words]


def test_no_words() -> None:
    assert arrange([]) == []


def test_a_word_keeps_what_it_is() -> None:
    assert arrange([PlacedWord("Hello", (1, 2, 30, 14), 87.5, "ocr")]) == [
        {
            "text": "Hello",
            "confidence": 87.5,
            "bbox": (1, 2, 30, 14),
            "block": 1,
            "paragraph": 1,
            "line": 1,
            "source": "ocr",
        }
    ]
    assert "source" not in arrange([PlacedWord("Hello", (1, 2, 30, 14))])[0]


def test_words_of_both_sources_make_one_line() -> None:
    recognised = line(100, 100, "gap")
    exact = [
        PlacedWord("Mind", (40, 85, 90, 100), source="embedded", origin=(40, 100), size=20),
        PlacedWord("here", (150, 85, 190, 100), source="embedded", origin=(150, 100), size=20),
    ]
    found = arrange([*exact, *recognised])
    assert [word["text"] for word in found] == ["Mind", "gap", "here"]
    assert [word["source"] for word in found] == ["embedded", "ocr", "embedded"]
    assert set(numbers(found)) == {(1, 1, 1)}


def test_more_space_begins_a_paragraph_and_much_more_a_block() -> None:
    words = page(*(line(50, y, "Some text") for y in (100, 124, 148, 190, 214, 300, 324)))
    assert numbers(arrange(words))[::2] == [
        (1, 1, 1), (1, 1, 2), (1, 1, 3), (1, 2, 1), (1, 2, 2), (2, 1, 1), (2, 1, 2),
    ]  # fmt: skip


def test_a_heading_in_a_larger_font_is_a_paragraph() -> None:
    words = page(line(50, 100, "Heading", 40), line(50, 140, "Some text"), line(50, 164, "Some text"))
    assert numbers(arrange(words)) == [(1, 1, 1), (1, 2, 1), (1, 2, 1), (1, 2, 2), (1, 2, 2)]


@given(st.randoms(use_true_random=False), st.sampled_from([0, 7]), st.integers(3, 20), st.integers(3, 20))
def test_the_order_of_the_input_does_not_matter_for_columns(
    chance: random.Random, shift: int, lefts: int, rights: int
) -> None:
    left = [f"L{at} {' '.join(PROSE[at % 4][:5])}" for at in range(lefts)]
    right = [f"R{at} {' '.join(PROSE[at % 3][:5])}" for at in range(rights)]
    words = page(
        line(50, 50, "A heading over both columns that is as wide as both of them are with the gap between"),
        *(line(50, 100 + 26 * at, text) for at, text in enumerate(left)),
        *(line(420, 100 + shift + 26 * at, text) for at, text in enumerate(right)),
    )
    chance.shuffle(words)
    assert read(words)[1:] == left + right


@given(
    st.randoms(use_true_random=False), st.integers(2, 15), st.lists(st.integers(30, 300), min_size=1, max_size=5)
)
def test_the_order_of_the_input_does_not_matter_for_tables(
    chance: random.Random, count: int, gaps: Sequence[int]
) -> None:
    rows, words = [], []
    for at in range(count):
        x, cells = 50.0, []
        for column, gap in enumerate([0, *gaps]):
            cells.append("Some name" if at % 3 and not column else f"{at}.{column}")
            x += gap
            words += line(x, 100 + 30 * at, cells[-1])
            x += 100
        rows.append(" ".join(cells))
    chance.shuffle(words)
    assert read(words) == rows


def test_two_bands_of_columns_with_a_heading_between() -> None:
    def band(y: float, name: str) -> list[list[PlacedWord]]:
        return [
            line(50 + 400 * side, y + 24 * at, f"{name}{side}{at} some words here")
            for side in (0, 1)
            for at in range(4)
        ]

    heading = "This line is as wide as both columns and it parts the one band from the other"
    words = page(*band(100, "a"), line(50, 210, heading), *band(250, "b"))
    random.Random(1).shuffle(words)
    wanted = [f"{name}{side}{at} some words here" for name in "ab" for side in (0, 1) for at in range(4)]
    assert read(words) == [*wanted[:8], heading, *wanted[8:]]


def test_where_the_places_leave_a_choice_the_input_decides() -> None:
    left = [line(50, 100 + 24 * at, f"Left{at} part") for at in range(4)]
    right = [line(420, 100 + 24 * at, f"Right{at} part") for at in range(4)]
    assert [text.split()[0] for text in read(page(*left, *right))] == [
        f"{side}{at}" for side in ("Left", "Right") for at in range(4)
    ]
    by_row = [words for pair in zip(left, right, strict=True) for words in pair]
    assert read(page(*by_row)) == [f"Left{at} part Right{at} part" for at in range(4)]


def test_a_short_last_column_is_a_column() -> None:
    words = page(
        *(line(50, 100 + 24 * at, f"L{at} some words of a text") for at in range(8)),
        *(line(420, 100 + 24 * at, f"R{at} some words of a text") for at in range(2)),
    )
    assert [text[:2] for text in read(words)] == [*(f"L{at}" for at in range(8)), "R0", "R1"]


def test_a_sidebar_whose_lines_are_elsewhere_is_a_column() -> None:
    words = page(
        *(line(50, 100 + 24 * at, f"Body{at} text") for at in range(8)),
        *(line(420, 110 + 30 * at, f"Side{at}") for at in range(5)),
    )
    assert [text.split()[0] for text in read(words)] == [
        *(f"Body{at}" for at in range(8)),
        *(f"Side{at}" for at in range(5)),
    ]


@pytest.mark.parametrize("shift", [0, 8])
def test_a_narrow_gutter_that_some_lines_almost_fill(shift: int) -> None:
    """The gutter is 12 to 40 pixels wide, the print 20 high, and the columns lean by `shift`."""
    ends = (370, 388, 360, 365, 388, 388, 370, 362)
    left = [f"seven words are here to make {'m' * ((end - 265) // 10)}{at}" for at, end in enumerate(ends)]
    right = [f"the other column has its own line number {at}" for at in range(8)]
    places = [(at * shift / 8, 100 + 26 * at) for at in range(8)]
    lines = [line(100 + x, y, text) for (x, y), text in zip(places, left, strict=True)]
    lines += [line(500 + x, y, text) for (x, y), text in zip(places, right, strict=True)]
    rows = page(*lines)
    random.Random(3).shuffle(rows)
    assert read(rows) == [*left, *right]


def test_blocks_that_are_one_below_the_other_are_no_columns() -> None:
    words = page(
        *(line(420, 100 + 24 * at, f"sender{at} of it") for at in range(3)),
        *(line(50, 200 + 24 * at, f"receiver{at} of it") for at in range(3)),
    )
    assert [text.split()[0] for text in read(words)] == [
        *(f"sender{at}" for at in range(3)),
        *(f"receiver{at}" for at in range(3)),
    ]


def test_lines_from_right_to_left() -> None:
    words = page(
        line(50, 100, "abc שלום"),
        line(50, 130, "עולם שלום 12 אב"),
        line(50, 160, "one two אב גד three"),
        line(50, 190, "a b c"),
    )
    assert read(words) == ["שלום abc", "אב 12 שלום עולם", "one two גד אב three", "a b c"]


def test_columns_from_right_to_left() -> None:
    words = page(*(
        line(x, 100 + 24 * at, f"{name} שלום עולם טוב") for x, name in ((50, "ב"), (420, "א")) for at in range(5)
    ))  # fmt: skip
    assert [text.split()[-1] for text in read(words)] == ["א"] * 5 + ["ב"] * 5


@pytest.mark.parametrize("angle", [90.0, 180.0, 270.0])
def test_labels_of_other_directions_come_last_one_line_each(angle: float) -> None:
    labels = {
        90.0: [("one", (20, 300, 40, 340)), ("two", (20, 250, 40, 290)), ("far", (20, 50, 40, 90))],
        270.0: [("one", (20, 50, 40, 90)), ("two", (20, 100, 40, 140)), ("far", (20, 300, 40, 340))],
        180.0: [("one", (300, 500, 340, 520)), ("two", (250, 500, 290, 520)), ("far", (50, 500, 90, 520))],
    }[angle]
    words = [PlacedWord(text, box, angle=angle, size=20.0) for text, box in labels]
    body = page(line(50, 100, "Body text of"), line(50, 124, "two lines"))
    assert read([*reversed(words), *body]) == ["Body text of", "two lines", "one two", "far"]


@given(st.lists(st.builds(
    PlacedWord,
    st.text(min_size=1, max_size=3),
    st.tuples(*[st.integers(0, 500)] * 2, *[st.integers(501, 900)] * 2),
    angle=st.sampled_from([0.0, 90.0, 33.3, 180.0, 359.9]),
    size=st.one_of(st.none(), st.floats(0.0, 1e5)),
), max_size=40))  # fmt: skip
def test_each_word_is_there_once_and_numbers_grow(words: list[PlacedWord]) -> None:
    found = arrange(words)
    assert sorted((word["text"], word["bbox"]) for word in found) == sorted(
        (word.text, word.box) for word in words
    )
    assert numbers(found) == sorted(numbers(found))
    if found:
        assert numbers(found)[0] == (1, 1, 1)
