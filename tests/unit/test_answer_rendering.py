"""Answers in every format, from one structure."""

from __future__ import annotations

from typing import Any, get_args
from xml.etree import ElementTree as ET

import pytest
import xmlschema

from api_gateway.formats import FORMATS, Name
from api_gateway.schemas import OcrAnswer
from model_server.page import Word, mean_confidence, text_of
from tests import readers

# Two columns: a block with two paragraphs, and a block beside it.
FIRST = [
    Word("Tom", 96.42, (10, 10, 50, 30), 1, 1, 1),
    Word("&", 12.5, (60, 12, 70, 30), 1, 1, 1),
    Word("<Jerry>", 91.0, (80, 8, 150, 32), 1, 1, 1),
    Word('"cat"', 100.0, (5, 40, 60, 60), 1, 1, 2),
    Word("it's", 0.0, (10, 80, 40, 100), 1, 2, 1),
    Word("größer", 88.88, (200, 10, 260, 30), 2, 1, 1),
    Word("日本語", 77.07, (200, 40, 290, 60), 2, 1, 2),
]
SECOND = [Word("]]>", 50.0, (1, 2, 3, 4), 1, 1, 1)]


def answer(*pages: list[Word]) -> dict[str, Any]:
    made = {
        "request_id": "0123456789abcdef",
        "status": "complete",
        "text": "\n".join(text_of(words) for words in pages),
        "confidence": mean_confidence([word for words in pages for word in words]),
        "pages": [
            {
                "page": number,
                "status": "ok",
                "source": "ocr",
                "width": 300,
                "height": 120,
                "dpi": None,
                "text": text_of(words),
                "confidence": mean_confidence(words),
                "words": [word._asdict() for word in words],
                "duration_seconds": 0.1,
                "attempts": 1,
            }
            for number, words in enumerate(pages, 1)
        ],
        "page_count": len(pages),
        "model": {
            "name": "ocr-model",
            "engine": "tesserocr",
            "tesseract": "5.5.4",
            "languages": ["eng", "chi_sim"],
            "traineddata": {"eng": "0" * 64, "chi_sim": "1" * 64},
        },
    }
    OcrAnswer.model_validate(made)
    return made


RENDERED = {name: known.render for name, known in FORMATS.items() if known.render is not None}


def rendered(name: Name, *pages: list[Word]) -> bytes:
    return RENDERED[name](answer(*pages))


def test_the_table_is_complete() -> None:
    assert get_args(Name) == tuple(FORMATS)
    assert len({known.media_type for known in FORMATS.values()}) == len(FORMATS)


def test_rendering_changes_nothing() -> None:
    given = answer(FIRST, SECOND)
    before = answer(FIRST, SECOND)
    first = {name: render(given) for name, render in RENDERED.items()}
    assert given == before
    assert {name: render(given) for name, render in RENDERED.items()} == first


@pytest.mark.parametrize("name", ["json", "hocr", "alto", "tsv"])
def test_words_places_and_confidences_come_back(name: Name) -> None:
    exact = 0.5 if name == "hocr" else 0.001
    found = readers.READERS[name](rendered(name, FIRST, SECOND))
    expected = [(1, word) for word in FIRST] + [(2, word) for word in SECOND]
    assert [(word.page, word.text, word.bbox) for word in found] == [
        (page, word.text, word.bbox) for page, word in expected
    ]
    assert [word.confidence for word in found] == pytest.approx(
        [word.confidence for _, word in expected], abs=exact
    )


def test_text() -> None:
    assert rendered("text", FIRST).decode() == 'Tom & <Jerry>\n"cat"\n\nit\'s\n\ngrößer\n日本語\n'


def test_tsv() -> None:
    assert rendered("tsv", FIRST[:5], SECOND).decode() == (
        "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
        "1\t1\t0\t0\t0\t0\t0\t0\t300\t120\t-1\t\n"
        "2\t1\t1\t0\t0\t0\t5\t8\t145\t92\t-1\t\n"
        "3\t1\t1\t1\t0\t0\t5\t8\t145\t52\t-1\t\n"
        "4\t1\t1\t1\t1\t0\t10\t8\t140\t24\t-1\t\n"
        "5\t1\t1\t1\t1\t1\t10\t10\t40\t20\t96.42\tTom\n"
        "5\t1\t1\t1\t1\t2\t60\t12\t10\t18\t12.5\t&\n"
        "5\t1\t1\t1\t1\t3\t80\t8\t70\t24\t91.0\t<Jerry>\n"
        "4\t1\t1\t1\t2\t0\t5\t40\t55\t20\t-1\t\n"
        '5\t1\t1\t1\t2\t1\t5\t40\t55\t20\t100.0\t"cat"\n'
        "3\t1\t1\t2\t0\t0\t10\t80\t30\t20\t-1\t\n"
        "4\t1\t1\t2\t1\t0\t10\t80\t30\t20\t-1\t\n"
        "5\t1\t1\t2\t1\t1\t10\t80\t30\t20\t0.0\tit's\n"
        "1\t2\t0\t0\t0\t0\t0\t0\t300\t120\t-1\t\n"
        "2\t2\t1\t0\t0\t0\t1\t2\t2\t2\t-1\t\n"
        "3\t2\t1\t1\t0\t0\t1\t2\t2\t2\t-1\t\n"
        "4\t2\t1\t1\t1\t0\t1\t2\t2\t2\t-1\t\n"
        "5\t2\t1\t1\t1\t1\t1\t2\t2\t2\t50.0\t]]>\n"
    )


def test_hocr_nests_blocks_paragraphs_lines_and_words() -> None:
    root = ET.fromstring(rendered("hocr", FIRST, SECOND))
    kinds = [(element.get("class"), element.get("id")) for element in root.iter() if element.get("class")]
    assert kinds == [
        ("ocr_page", "page_1"),
        ("ocr_carea", "block_1_1"),
        ("ocr_par", "par_1_1"),
        ("ocr_line", "line_1_1"),
        ("ocrx_word", "word_1_1"),
        ("ocrx_word", "word_1_2"),
        ("ocrx_word", "word_1_3"),
        ("ocr_line", "line_1_2"),
        ("ocrx_word", "word_1_4"),
        ("ocr_par", "par_1_2"),
        ("ocr_line", "line_1_3"),
        ("ocrx_word", "word_1_5"),
        ("ocr_carea", "block_1_2"),
        ("ocr_par", "par_1_3"),
        ("ocr_line", "line_1_4"),
        ("ocrx_word", "word_1_6"),
        ("ocr_line", "line_1_5"),
        ("ocrx_word", "word_1_7"),
        ("ocr_page", "page_2"),
        ("ocr_carea", "block_2_1"),
        ("ocr_par", "par_2_1"),
        ("ocr_line", "line_2_1"),
        ("ocrx_word", "word_2_1"),
    ]
    page, second = readers.with_class(root, "ocr_page")
    assert page.get("title") == "bbox 0 0 300 120; ppageno 0"
    assert second.get("title") == "bbox 0 0 300 120; ppageno 1"
    boxes = [
        [readers.hocr_box(element) for element in readers.with_class(page, kind)]
        for kind in ("ocr_carea", "ocr_par", "ocr_line")
    ]
    assert boxes == [
        [(5, 8, 150, 100), (200, 10, 290, 60)],
        [(5, 8, 150, 60), (10, 80, 40, 100), (200, 10, 290, 60)],
        [(10, 8, 150, 32), (5, 40, 60, 60), (10, 80, 40, 100), (200, 10, 260, 30), (200, 40, 290, 60)],
    ]


def test_hocr_says_what_it_may_hold() -> None:
    root = ET.fromstring(rendered("hocr", FIRST))
    said = {meta.get("name"): meta.get("content", "") for meta in root.iter(f"{readers.HTML}meta")}
    assert said["ocr-system"] == "tesseract 5.5.4"
    assert said["ocr-number-of-pages"] == "1"
    used = {element.get("class") for element in root.iter()} - {None}
    assert set(said["ocr-capabilities"].split()) == used | {"ocrp_wconf"}


def test_hocr_reads_as_lines_of_words() -> None:
    """As a browser shows it: white space between two words, and none in them."""
    body = ET.fromstring(rendered("hocr", FIRST)).find(f"{readers.HTML}body")
    assert body is not None
    assert "".join(body.itertext()).split() == [word.text for word in FIRST]


def test_hocr_has_no_tag_that_html_leaves_open() -> None:
    content = rendered("hocr", []).decode()
    assert [line.strip() for line in content.split("\n") if "/>" in line and "<meta " not in line] == []


def test_alto_says_how_it_was_made() -> None:
    root = ET.fromstring(rendered("alto", FIRST))
    said = {element.tag.removeprefix(readers.ALTO): (element.text or "").strip() for element in root.iter()}
    assert said["MeasurementUnit"] == "pixel"
    assert said["fileIdentifier"] == "0123456789abcdef"
    assert (said["softwareName"], said["softwareVersion"]) == ("tesseract", "5.5.4")
    assert said["processingStepSettings"] == "languages=eng,chi_sim"


def test_alto_has_a_space_between_two_words_of_a_line() -> None:
    words = [
        Word("left", 90, (10, 10, 50, 30), 1, 1, 1),
        Word("right", 90, (60, 12, 70, 30), 1, 1, 1),
        Word("touching", 90, (65, 12, 90, 30), 1, 1, 1),
        Word("before", 90, (1, 13, 5, 30), 1, 1, 1),  # as in scripts that run from right to left
        Word("alone", 90, (10, 40, 50, 60), 1, 1, 2),
    ]
    content = rendered("alto", words)
    assert len(readers.alto_words(content)) == 5
    first, second = ET.fromstring(content).iter(f"{readers.ALTO}TextLine")
    assert [element.tag.removeprefix(readers.ALTO) for element in first] == ["String", *["SP", "String"] * 3]
    assert [(s.get("HPOS"), s.get("VPOS"), s.get("WIDTH")) for s in first.iter(f"{readers.ALTO}SP")] == [
        ("50", "10", "10"),
        ("70", "12", "0"),
        ("5", "12", "60"),
    ]
    assert len(second) == 1


@pytest.mark.parametrize(
    ("broken", "instead"),
    [
        (b'WC="0.9642"', b'WC="96.42"'),
        (b' CONTENT="Tom"', b""),
        (b"TextLine", b"Line"),
        (b"line_1_2", b"line_1_1"),
    ],
)
def test_the_schema_refuses_what_is_wrong(broken: bytes, instead: bytes) -> None:
    content = rendered("alto", FIRST)
    assert broken in content
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        readers.alto_words(content.replace(broken, instead))


FORBIDDEN = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u2028", "\u2029", "\ufffe", "\uffff"]


@pytest.mark.parametrize("name", ["hocr", "alto", "tsv"])
def test_characters_that_xml_forbids_or_that_break_a_table(name: Name) -> None:
    words = [
        Word(f"a{char}b", 90, (at + 1, 1, at + 2, 2), 1, 1, 1)
        for at, char in enumerate([*FORBIDDEN, "\U0001f600"])
    ]
    found = readers.READERS[name](rendered(name, words))
    assert [word.text for word in found] == ["a\ufffdb"] * len(FORBIDDEN) + ["a\U0001f600b"]


@pytest.mark.parametrize("name", list(RENDERED))
def test_an_empty_page(name: Name) -> None:
    content = rendered(name, [])
    if name == "text":
        assert content == b""
    else:
        assert readers.READERS[name](content) == []


def test_no_name_of_a_client_gets_into_a_header() -> None:
    assert {known.content_disposition for known in FORMATS.values()} == {
        'inline; filename="ocr.json"',
        'inline; filename="ocr.txt"',
        'inline; filename="ocr.hocr"',
        'inline; filename="ocr.xml"',
        'inline; filename="ocr.tsv"',
        'inline; filename="ocr.ndjson"',
        'inline; filename="ocr.pdf"',
    }
