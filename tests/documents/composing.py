"""Searchable PDFs made by a real composer, and the words that Poppler and PDFium find in them."""

from __future__ import annotations

import asyncio
import ctypes
import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from api_gateway.answer import AnswerPage, read_page
from api_gateway.documents.composer import Composer, Source
from api_gateway.documents.record import Record
from service_kit.budget import Budget
from service_kit.child import CommonMemory
from service_kit.deadline import Deadline
from service_kit.page import EngineStamp, Word, make_page
from tests import needs
from tests.documents import faulty_composer

NEAR = 2.5  # points


MIB = 1 << 20
STAMP: EngineStamp = {
    "name": "tesseract",
    "tesseract": "0",
    "languages": ["eng"],
    "traineddata": {"eng": "0"},
    "neural": None,
}


def word(text: str, bbox: tuple[int, int, int, int], line: int = 1) -> Word:
    return {"text": text, "confidence": 90.0, "bbox": bbox, "block": 1, "paragraph": 1, "line": line}


def page(
    words: list[Word],
    width: int = 1240,
    height: int = 1754,
    number: int = 1,
    rotation: int = 0,
    skew: float = 0.0,
) -> AnswerPage:
    read = make_page(
        words,
        width=width,
        height=height,
        page_count=1,
        engine=STAMP,
        duration_seconds=0.1,
        rotation=rotation,
        skew=skew,
    )
    return read_page(number, read, dpi=None, attempts=1, model_name="ocr-model")


class Bench:
    """A composer with its limits and its disk budget."""

    def __init__(
        self, folder: Path, *, disk: int = 1000, kill: int = 500, common: int = 1 << 20, fault: str = ""
    ) -> None:
        """Arguments in MiB."""
        self.folder = folder
        self.disk = Budget(disk * MIB)
        self.common = CommonMemory(common * MIB)
        env = {faulty_composer.FAULT: fault}
        self.composer = Composer(common=self.common, disk=self.disk, env=env, kill_bytes=kill * MIB)

    async def compose(
        self, document: bytes, *pages: AnswerPage, kind: Any = "pdf", count: int = 0, seconds: float = 60
    ) -> bytes:
        (self.folder / kind).mkdir(exist_ok=True)
        source = self.folder / kind / "document"
        source.write_bytes(document)
        with Record(source.with_name("record"), self.disk, [one["page"] for one in pages]) as record:
            for one in reversed(pages):
                await record.put(one)
            made = await self.composer.compose(
                Source(source, kind), record, source.parent, count or len(pages), Deadline(seconds)
            )
            with made:
                return b"".join(made.pieces())


def compose(tmp_path: Path, document: bytes, *pages: AnswerPage, **how: Any) -> bytes:
    bench = Bench(tmp_path)
    made = asyncio.run(bench.compose(document, *pages, **how))
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["document", "record"]
    assert not bench.disk.used
    assert not bench.common.children
    return made


Place = tuple[float, float, float, float]
Found = list[tuple[str, Place]]


def poppler(pdf: bytes, tmp_path: Path) -> list[Found]:
    """Words with their boxes, in points from the upper left corner of each page as it is shown."""
    path = tmp_path / "made.pdf"
    path.write_bytes(pdf)
    qpdf = needs.program("qpdf", "Debian: qpdf")
    subprocess.run([qpdf, "--check", str(path)], check=True, capture_output=True)
    command = [needs.program("pdftotext", "Debian: poppler-utils"), "-bbox", str(path), "-"]
    made = subprocess.run(command, check=True, capture_output=True)
    assert made.stderr == b""
    html = ET.fromstring(re.sub(rb' xmlns="[^"]*"', b"", made.stdout))
    return [
        [
            (str(found.text), tuple(float(found.attrib[key]) for key in ("xMin", "yMin", "xMax", "yMax")))  # type: ignore[misc]
            for found in one.iter("word")
        ]
        for one in html.iter("page")
    ]


def check_places(found: Found, words: list[Word], scale: float) -> None:
    assert [text for text, _ in found] == [one["text"] for one in words]
    for (text, box), one in zip(found, words, strict=True):
        for is_at, belongs in zip(box, one["bbox"], strict=True):
            assert is_at == pytest.approx(belongs * scale, abs=NEAR), text


def in_pdfium(pdf: bytes, words: list[Word], size: tuple[int, int], number: int = 1) -> dict[str, list[Place]]:
    """Each word's rectangles in PDFium's search, in pixels of the page as it is shown, `size` of them."""
    with pypdfium2.PdfDocument(pdf) as document:
        sheet = document[number - 1]
        text = sheet.get_textpage()
        found = {}
        for one in words:
            search = text.search(one["text"], match_case=True, match_whole_word=True)
            places = []
            while at := search.get_next():
                places += [_shown(sheet, text.get_rect(index), size) for index in range(text.count_rects(*at))]
            found[one["text"]] = places
        return found


def _shown(sheet: pypdfium2.PdfPage, rectangle: tuple[float, float, float, float], size: tuple[int, int]) -> Place:
    left, bottom, right, top = rectangle
    corners = []
    for x, y in ((left, bottom), (right, top)):
        across, down = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(sheet, 0, 0, *size, 0, x, y, across, down)
        corners.append((across.value, down.value))
    (x0, x1), (y0, y1) = (sorted(sides) for sides in zip(*corners, strict=True))
    return x0, y0, x1, y1
