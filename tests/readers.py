"""The formats of answers read back, by other means than they are written with."""

from __future__ import annotations

import csv
import io
import json
import os
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pypdfium2
import xmlschema

HTML = "{http://www.w3.org/1999/xhtml}"
ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
OUR_SCHEMA = Path(__file__).parent / "gateway" / "schemas" / "alto-4-subset.xsd"

Box = tuple[int, int, int, int]


class Word(NamedTuple):
    """`confidence` is 0 to 100, in whole numbers in hOCR."""

    page: int
    text: str
    bbox: Box
    confidence: float


def json_words(content: bytes) -> list[Word]:
    return [
        Word(page["page"], word["text"], tuple(word["bbox"]), word["confidence"])
        for page in json.loads(content)["pages"]
        for word in page["words"]
    ]


def ndjson_words(content: bytes) -> list[Word]:
    *pages, closing = map(json.loads, content.splitlines())
    assert closing["pages_ok"] + closing["pages_failed"] == len(pages)
    return json_words(json.dumps({"pages": pages}).encode())


def hocr_words(content: bytes) -> list[Word]:
    """With the check that each element's box is inside its parent's."""
    words = []
    for page in with_class(ET.fromstring(content), "ocr_page"):
        _inside(page, None)
        number = int(properties(page)["ppageno"][0]) + 1
        for leaf in with_class(page, "ocrx_word"):
            said = properties(leaf)
            words.append(Word(number, leaf.text or "", hocr_box(leaf), int(said["x_wconf"][0])))
    return words


def with_class(root: ET.Element, kind: str) -> list[ET.Element]:
    return [element for element in root.iter() if element.get("class") == kind]


def properties(element: ET.Element) -> dict[str, list[str]]:
    """`bbox 1 2 3 4; x_wconf 90` by name."""
    found = {}
    for part in element.get("title", "").split(";"):
        name, *values = part.split()
        found[name] = values
    return found


def hocr_box(element: ET.Element) -> Box:
    x0, y0, x1, y1 = map(int, properties(element)["bbox"])
    return x0, y0, x1, y1


def _inside(element: ET.Element, parent: Box | None) -> None:
    box = hocr_box(element)
    if parent:
        assert parent[0] <= box[0] < box[2] <= parent[2], element.get("id")
        assert parent[1] <= box[1] < box[3] <= parent[3], element.get("id")
    for child in element:
        _inside(child, box)


def alto_words(content: bytes) -> list[Word]:
    """With the checks against the schema."""
    for schema in _schemas():
        schema.validate(io.BytesIO(content))
    words = []
    for page in ET.fromstring(content).iter(f"{ALTO}Page"):
        for string in page.iter(f"{ALTO}String"):
            left, top, width, height = (int(string.get(name, "")) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
            box = left, top, left + width, top + height
            confidence = round(100 * float(string.get("WC", "")), 2)
            words.append(Word(int(page.get("PHYSICAL_IMG_NR", "")), string.get("CONTENT", ""), box, confidence))
    return words


@cache
def _schemas() -> list[xmlschema.XMLSchema]:
    """Ours, and the standard's where the environment tells its place; the network is left alone."""
    found = [xmlschema.XMLSchema(str(OUR_SCHEMA), allow="local")]
    if standard := os.environ.get("ALTO_XSD"):
        beside = {"http://www.w3.org/1999/xlink": str(Path(standard).with_name("xlink.xsd").resolve())}
        found.append(xmlschema.XMLSchema(standard, allow="local", locations=beside))
    return found


def tsv_rows(content: bytes) -> list[dict[str, Any]]:
    """Each row by the names of its columns; all but the text as numbers."""
    lines = content.decode().removesuffix("\n").split("\n")
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    return [
        {
            name: value if name == "text" else float(value) if name == "conf" else int(value)
            for name, value in row.items()
        }
        for row in rows
    ]


def tsv_words(content: bytes) -> list[Word]:
    return [
        Word(
            row["page_num"],
            row["text"],
            (row["left"], row["top"], row["left"] + row["width"], row["top"] + row["height"]),
            row["conf"],
        )
        for row in tsv_rows(content)
        if row["level"] == 5
    ]


def pdf_words(content: bytes) -> list[list[str]]:
    """Those of each page, as PDFium finds them; tests/documents/test_searchable_pdf.py checks where they stand."""
    with pypdfium2.PdfDocument(content) as document:
        return [page.get_textpage().get_text_range().split() for page in document]


# Those that have boxes.
READERS = {"json": json_words, "ndjson": ndjson_words, "hocr": hocr_words, "alto": alto_words, "tsv": tsv_words}
