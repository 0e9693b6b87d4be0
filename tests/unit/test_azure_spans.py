"""Azure's result: every span cuts its element out of the content, in the units that the client counts in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway.answer import AnswerPage, read_page
from api_gateway.formats.azure import ContentFormat, Shape, StringIndex, render
from service_kit.page import Word, make_page

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Zs", "Zl", "Zp", "Cc"]), min_size=1, max_size=4)
# Words of one page, as numbers of blocks, paragraphs and lines that go on or begin anew.
PAGE = st.lists(st.tuples(TEXT, st.integers(0, 3)), max_size=8)
BOX = (100, 200, 400, 250)


def words_of(found: Sequence[tuple[str, int]]) -> list[Word]:
    """The number says what begins with the word: a block, a paragraph, a line or nothing."""
    words: list[Word] = []
    block = paragraph = line = 1
    for text, begins in found:
        if begins == 1:
            block, paragraph, line = block + 1, 1, 1
        elif begins == 2:
            paragraph, line = paragraph + 1, 1
        elif begins == 3:
            line += 1
        words.append(
            {
                "text": text,
                "confidence": 87.5,
                "bbox": BOX,
                "block": block,
                "paragraph": paragraph,
                "line": line,
            }
        )
    return words


def page_of(
    number: int, words: list[Word], dpi: float | None = 200.0, rotation: int = 0, skew: float = 0.0
) -> AnswerPage:
    page = make_page(
        words, width=1000, height=2000, page_count=1, engine=None, duration_seconds=0, rotation=rotation, skew=skew
    )
    return read_page(number, page, dpi=dpi, attempts=1, model_name="m")


def result(pages: Sequence[AnswerPage], **shape: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(b"".join(render(pages, Shape("prebuilt-read", "2024-11-30", **shape))))
    return found


def spans(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, int]]]:
    """Text and place of each word, line and paragraph."""
    for page in found["pages"]:
        for word in page["words"]:
            yield word["content"], word["span"]
        for line in page["lines"]:
            (span,) = line["spans"]
            yield line["content"], span
    for paragraph in found["paragraphs"]:
        (span,) = paragraph["spans"]
        yield paragraph["content"], span


def cut(content: str, span: dict[str, int], index: StringIndex) -> str:
    """As a client does it whose strings consist of these units."""
    start, end = span["offset"], span["offset"] + span["length"]
    if index == "utf16CodeUnit":
        return content.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le")
    return content[start:end]


@pytest.mark.parametrize("index", get_args(StringIndex))
@pytest.mark.parametrize("content", get_args(ContentFormat))
@settings(max_examples=60)
@given(said=st.lists(PAGE, min_size=1, max_size=4))
def test_spans_cut_out_what_they_mean(
    index: StringIndex, content: ContentFormat, said: list[list[tuple[str, int]]]
) -> None:
    pages = [page_of(number, words_of(words)) for number, words in enumerate(said, 1)]
    found = result(pages, string_index=index, content=content)
    assert (found["stringIndexType"], found["contentFormat"]) == (index, content)
    between = "\n<!-- PageBreak -->\n\n" if content == "markdown" else ""
    assert found["content"] == between.join(page["text"] for page in pages)
    for text, span in spans(found):
        assert cut(found["content"], span, index) == text
    for page, source in zip(found["pages"], pages, strict=True):
        (span,) = page["spans"]
        assert cut(found["content"], span, index) == source["text"]
        assert [word["content"] for word in page["words"]] == [word["text"] for word in source["words"]]
    paragraphs = [text for page in pages for text in page["text"].removesuffix("\n").split("\n\n") if text]
    assert [paragraph["content"] for paragraph in found["paragraphs"]] == paragraphs


def test_letters_outside_the_basic_plane_count_as_one_or_two() -> None:
    pages = [page_of(1, words_of([("\U0001d49c\U0001d49c", 0), ("b", 0)])), page_of(2, words_of([("c", 0)]))]
    offsets = {
        index: [
            word["span"]["offset"] for page in result(pages, string_index=index)["pages"] for word in page["words"]
        ]
        for index in get_args(StringIndex)
    }
    assert offsets == {"textElements": [0, 3, 5], "unicodeCodePoint": [0, 3, 5], "utf16CodeUnit": [0, 5, 7]}


def test_positions_in_pixels_and_in_inches() -> None:
    page = page_of(3, words_of([("a", 0)]))
    (found,) = result([page])["pages"]
    assert (found["pageNumber"], found["width"], found["height"], found["unit"]) == (3, 1000, 2000, "pixel")
    assert found["words"][0]["polygon"] == [100, 200, 400, 200, 400, 250, 100, 250]
    assert found["words"][0]["confidence"] == 0.875
    inches = result([page], inches=True)
    (found,) = inches["pages"]
    assert (found["width"], found["height"], found["unit"]) == (5, 10, "inch")
    for element in (found["words"][0], found["lines"][0], inches["paragraphs"][0]["boundingRegions"][0]):
        assert element["polygon"] == [0.5, 1, 2, 1, 2, 1.25, 0.5, 1.25]
    (found,) = result([page_of(1, words_of([("a", 0)]), dpi=None)], inches=True)["pages"]
    assert found["unit"] == "pixel", "nothing says how large a pixel is"


@pytest.mark.parametrize(
    ("rotation", "skew", "angle"), [(0, 0.0, 0), (0, 2.5, 2.5), (90, 0.0, -90), (270, 0.0, 90)]
)
def test_the_angle(rotation: int, skew: float, angle: float) -> None:
    """Degrees clockwise by which the writing is turned, above -180 and up to 180."""
    (found,) = result([page_of(1, words_of([("a", 0)]), rotation=rotation, skew=skew)])["pages"]
    assert found["angle"] == angle


def test_an_empty_page() -> None:
    found = result([page_of(1, []), page_of(2, words_of([("a", 0)])), page_of(3, [])])
    assert found["content"] == "a\n"
    assert [page["spans"] for page in found["pages"]] == [
        [{"offset": 0, "length": 0}], [{"offset": 0, "length": 2}], [{"offset": 2, "length": 0}],
    ]  # fmt: skip
    assert result([page_of(1, [])])["paragraphs"] == []
