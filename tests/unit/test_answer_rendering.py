"""Answers in every format, rendered from one structure."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from typing import get_args
from xml.etree import ElementTree as ET

import orjson
import pytest
import xmlschema

from api_gateway.answer import Answer, AnswerPage, failed_page, read_page, total
from api_gateway.errors import DamagedPage
from api_gateway.formats import FORMATS, Name
from api_gateway.schemas import OcrAnswer
from service_kit.page import EngineStamp, NeuralStamp, Word, make_page
from tests import readers

MIB = 1 << 20
STAMP: EngineStamp = {
    "name": "tesseract",
    "tesseract": "5.5.4",
    "languages": ["eng", "chi_sim"],
    "traineddata": {"eng": "0" * 64, "chi_sim": "1" * 64},
    "neural": None,
}
NEURAL: NeuralStamp = {
    "name": "PP-OCRv6 small",
    "runtime": "openvino 2026.4.1",
    "precision": "bf16",
    "weights": {"detector": "2" * 64},
}
BOTH: EngineStamp = {**STAMP, "name": "auto", "neural": NEURAL}
NEURAL_ALONE: EngineStamp = {**BOTH, "name": "neural", "tesseract": None, "traineddata": {}}


def word(text: str, confidence: float, bbox: tuple[int, int, int, int], *place: int) -> Word:
    """`place` is block, paragraph and line."""
    block, paragraph, line = place
    return {
        "text": text,
        "confidence": confidence,
        "bbox": bbox,
        "block": block,
        "paragraph": paragraph,
        "line": line,
    }


# Two columns: a block with two paragraphs, and another block.
FIRST = [
    word("Tom", 96.42, (10, 10, 50, 30), 1, 1, 1),
    word("&", 12.5, (60, 12, 70, 30), 1, 1, 1),
    word("<Jerry>", 91.0, (80, 8, 150, 32), 1, 1, 1),
    word('"cat"', 100.0, (5, 40, 60, 60), 1, 1, 2),
    word("it's", 0.0, (10, 80, 40, 100), 1, 2, 1),
    word("größer", 88.88, (200, 10, 260, 30), 2, 1, 1),
    word("日本語", 77.07, (200, 40, 290, 60), 2, 1, 2),
]
SECOND = [word("]]>", 50.0, (1, 2, 3, 4), 1, 1, 1)]


def page(number: int, words: list[Word], stamp: EngineStamp | None = STAMP) -> AnswerPage:
    read = make_page(words, width=300, height=120, page_count=1, engine=stamp, duration_seconds=0.1)
    source = "ocr" if stamp else "embedded"
    return read_page(number, read, dpi=None, attempts=1, model_name="ocr-model", source=source)  # type: ignore[arg-type]


def answered(pages: Iterable[AnswerPage], count: int) -> Answer:
    return total(pages).answer("0123456789abcdef", count)


def answer(*words: list[Word]) -> tuple[Answer, list[AnswerPage]]:
    pages = [page(number, on_page) for number, on_page in enumerate(words, 1)]
    return answered(pages, len(pages)), pages


def described(content: bytes) -> dict[str, object]:
    """A JSON answer that matches the schema of /docs."""
    OcrAnswer.model_validate_json(content)
    found: dict[str, object] = orjson.loads(content)
    return found


RENDERED = {name: known.render for name, known in FORMATS.items() if known.render is not None}


def rendered(name: Name, *pages: list[Word]) -> bytes:
    return b"".join(RENDERED[name](*answer(*pages)))


def test_the_table_is_complete() -> None:
    assert get_args(Name) == tuple(FORMATS)
    assert len({known.media_type for known in FORMATS.values()}) == len(FORMATS)


def test_json_is_as_described() -> None:
    found = described(rendered("json", FIRST, SECOND))
    assert list(found) == ["request_id", "status", "text", "confidence", "pages", "page_count", "model"]
    _, pages = answer(FIRST, SECOND)
    assert found["text"] == "\f".join(one["text"] for one in pages)
    assert found["pages"] == orjson.loads(orjson.dumps(pages))


class Pages:
    """Pages that are created on iteration, as a record reads them from its file."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[AnswerPage]:
        for number in range(1, self.count + 1):
            words = [
                word(f"word{number}{at}", 90.5, (at, 10, at + 1, 20), at // 50 + 1, 1, 1) for at in range(400)
            ]
            yield page(number, words)


@pytest.mark.parametrize("name", [*RENDERED])
def test_one_page_at_a_time_is_in_memory(name: Name) -> None:
    """40 pages of 400 words; each page takes about 0.3 MiB."""
    pages = Pages(40)
    about = answered(pages, 40)
    tracemalloc.start()
    try:
        size = largest = 0
        for piece in RENDERED[name](about, pages):
            size += len(piece)
            largest = max(largest, len(piece))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert largest < size / 10
    assert peak < 4 * MIB


OTHER: EngineStamp = {**STAMP, "tesseract": "5.6.0"}


def test_pages_that_were_read_by_different_versions() -> None:
    """Each page names its model; the whole answer names none; formats without a field for it per page list all."""
    pages = [
        page(1, FIRST),
        page(2, SECOND, OTHER),
        page(3, SECOND, None),
        failed_page(4, DamagedPage()),
        page(5, []),
    ]
    about = answered(pages, 5)
    made = {name: b"".join(render(about, pages)) for name, render in RENDERED.items()}
    found = described(made["json"])
    assert found["model"] is None
    listed = [one["model"] and one["model"]["tesseract"] for one in found["pages"]]  # type: ignore[attr-defined]
    assert listed == ["5.5.4", "5.6.0", None, None, "5.5.4"]
    lines = [orjson.loads(line) for line in made["ndjson"].splitlines()]
    assert [line["model"] and line["model"]["tesseract"] for line in lines] == [*listed, None]
    assert b'"ocr-system" content="tesseract 5.5.4, tesseract 5.6.0"' in made["hocr"]
    readers.alto_words(made["alto"])  # valid
    versions = [one.text for one in ET.fromstring(made["alto"]).iter(f"{readers.ALTO}softwareVersion")]
    assert versions == ["5.5.4", "5.6.0"]


def test_each_engine_of_each_page_is_named_once() -> None:
    """Two pages with the same version of Tesseract, but not of the same engines."""
    read: list[Word] = [{**FIRST[0], "engine": "tesseract"}, {**FIRST[1], "engine": "neural"}]
    pages = [page(1, FIRST), page(2, read, BOTH), page(3, SECOND, NEURAL_ALONE), page(4, SECOND)]
    about = answered(pages, 4)
    made = {name: b"".join(render(about, pages)) for name, render in RENDERED.items()}
    found = described(made["json"])
    assert found["model"] is None
    listed = [(one["model"]["engine"], one["model"]["tesseract"]) for one in found["pages"]]  # type: ignore[attr-defined]
    assert listed == [("tesseract", "5.5.4"), ("auto", "5.5.4"), ("neural", None), ("tesseract", "5.5.4")]
    engines = [word.get("engine") for word in found["pages"][1]["words"]]  # type: ignore[index]
    assert engines == ["tesseract", "neural"]
    assert b'"ocr-system" content="tesseract 5.5.4, PP-OCRv6 small openvino 2026.4.1 bf16"' in made["hocr"]
    titles = [word.get("title", "") for word in readers.with_class(ET.fromstring(made["hocr"]), "ocrx_word")]
    assert [title.partition("; x_engine ")[2] for title in titles[7:9]] == ["tesseract", "neural"]
    assert not [title for title in titles[:7] + titles[9:] if "x_engine" in title]
    readers.alto_words(made["alto"])  # valid: each reference is to an OCRProcessing
    alto = ET.fromstring(made["alto"])
    versions = [one.text for one in alto.iter(f"{readers.ALTO}softwareVersion")]
    neural = "openvino 2026.4.1 bf16"
    assert versions == ["5.5.4", "5.5.4", neural, neural]
    processing = {
        one.get("ID"): one.findtext(f".//{readers.ALTO}softwareName")
        for one in alto.iter(f"{readers.ALTO}OCRProcessing")
    }
    references = [one.get("PROCESSINGREFS") for one in alto.iter(f"{readers.ALTO}String")]
    assert [reference and processing[reference] for reference in references[7:9]] == [
        "tesseract",
        "PP-OCRv6 small",
    ]
    assert not any(references[:7] + references[9:])


def test_pages_that_agree_are_summarised_whatever_has_no_engine() -> None:
    pages = [page(1, FIRST, None), page(2, SECOND), failed_page(3, DamagedPage())]
    found = described(b"".join(RENDERED["json"](answered(pages, 3), pages)))
    assert found["model"] == {**STAMP, "name": "ocr-model", "engine": "tesseract"}
    embedded = [page(1, FIRST, None)]
    assert described(b"".join(RENDERED["json"](answered(embedded, 1), embedded)))["model"] is None
    assert b'content="embedded text"' in b"".join(RENDERED["hocr"](answered(embedded, 1), embedded))
    assert b"OCRProcessing" not in b"".join(RENDERED["alto"](answered(embedded, 1), embedded))


def test_rendering_changes_nothing() -> None:
    given = answer(FIRST, SECOND)
    before = answer(FIRST, SECOND)
    first = {name: b"".join(render(*given)) for name, render in RENDERED.items()}
    assert given == before
    assert {name: b"".join(render(*given)) for name, render in RENDERED.items()} == first


@pytest.mark.parametrize("name", ["json", "hocr", "alto", "tsv"])
def test_words_places_and_confidences_come_back(name: Name) -> None:
    exact = 0.5 if name == "hocr" else 0.001
    found = readers.READERS[name](rendered(name, FIRST, SECOND))
    expected = [(1, word) for word in FIRST] + [(2, word) for word in SECOND]
    assert [(word.page, word.text, word.bbox) for word in found] == [
        (page, word["text"], word["bbox"]) for page, word in expected
    ]
    assert [word.confidence for word in found] == pytest.approx(
        [word["confidence"] for _, word in expected], abs=exact
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
    """The text as a browser shows it: white space between words, and none inside them."""
    body = ET.fromstring(rendered("hocr", FIRST)).find(f"{readers.HTML}body")
    assert body is not None
    assert "".join(body.itertext()).split() == [word["text"] for word in FIRST]


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
        word("left", 90, (10, 10, 50, 30), 1, 1, 1),
        word("right", 90, (60, 12, 70, 30), 1, 1, 1),
        word("touching", 90, (65, 12, 90, 30), 1, 1, 1),
        word("before", 90, (1, 13, 5, 30), 1, 1, 1),  # as in scripts that run from right to left
        word("alone", 90, (10, 40, 50, 60), 1, 1, 2),
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
        word(f"a{char}b", 90, (at + 1, 1, at + 2, 2), 1, 1, 1)
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


@pytest.mark.parametrize(
    ("rotation", "skew", "angle"), [(0, 0.0, None), (90, 0.0, 90), (0, 2.5, -2.5), (270, -4.0, 274)]
)
def test_the_direction_of_turned_lines(rotation: int, skew: float, angle: float | None) -> None:
    turned = page(1, FIRST)
    turned["rotation"], turned["skew"] = rotation, skew
    answer = total([turned]).answer("r", 1)
    alto = ET.fromstring(b"".join(FORMATS["alto"].render(answer, [turned])))  # type: ignore[misc]
    hocr = ET.fromstring(b"".join(FORMATS["hocr"].render(answer, [turned])))  # type: ignore[misc]
    blocks = [found for found in alto.iter() if found.tag.endswith("}TextBlock")]
    lines = [found for found in hocr.iter() if found.get("class") == "ocr_line"]
    assert blocks
    assert lines
    expected = None if angle is None else f"{angle:g}"
    assert {block.get("ROTATION") for block in blocks} == {expected}
    angles = {line.attrib["title"].partition("; textangle ")[2] for line in lines}
    assert angles == {expected or ""}
