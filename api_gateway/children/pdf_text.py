"""The embedded text of a born-digital PDF page.

Pages that only look so are left to recognition: scans with an invisible text layer, pages that
are half pictures, fonts that don't say which letters they draw, filled-in forms (their values are no text of the
page).
"""

from __future__ import annotations

import ctypes
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import pypdfium2.raw as pdfium

from service_kit.page import Word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdfium2 import PdfPage

    Box = tuple[int, int, int, int]

_MOST_PICTURED = 0.3  # share of the page's area; above it, too much text in pictures would be lost
_MOST_UNKNOWN = 0.02  # share of the letters that have no known character
_MOST_OBJECTS = 20_000  # a page with more objects is a drawing
_MOST_LETTERS = 100_000
_DEPTH = 4  # of nested forms
_INVISIBLE = frozenset({pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP})
_SPEAKING = frozenset({pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP})
_EMBEDDED_CONFIDENCE = 100.0
_HYPHENS = (0x02, 0xFFFE)  # PDFium returns these for a hyphen at the end of a line


class _Letter(NamedTuple):
    """`line` counts the lines so far; the box is left, bottom, right, top in points."""

    text: str
    line: int
    box: tuple[float, float, float, float]


def read(page: PdfPage, width: int, height: int) -> list[Word]:
    """The words on a page of `width` by `height` pixels; empty if the page has to be recognised."""
    if _annotated(page) or not _born_digital(page):
        return []
    text_page = page.get_textpage()
    try:
        letters = _letters(text_page)
    finally:
        text_page.close()
    return _structured(_words(page, letters, width, height))


def _annotated(page: PdfPage) -> bool:
    """Whether the page shows something that its embedded text may lack."""
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        pdfium.FPDFPage_CloseAnnot(annotation)
        if kind in _SPEAKING:
            return True
    return False


def _born_digital(page: PdfPage) -> bool:
    visible = False
    pictured = 0.0
    seen = 0
    for found in page.get_objects(max_depth=1):
        seen += 1
        if found.type == pdfium.FPDF_PAGEOBJ_TEXT:
            if pdfium.FPDFTextObj_GetTextRenderMode(found) in _INVISIBLE:
                return False
            visible = True
        elif found.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            pictured += _area(found.get_bounds())
        elif found.type == pdfium.FPDF_PAGEOBJ_FORM:
            inner = [*islice(page.get_objects(max_depth=_DEPTH, form=found.raw, level=1), _MOST_OBJECTS)]
            seen += len(inner)
            texts = [item for item in inner if item.type == pdfium.FPDF_PAGEOBJ_TEXT]
            if any(pdfium.FPDFTextObj_GetTextRenderMode(text) in _INVISIBLE for text in texts):
                return False
            visible = visible or bool(texts)
            if any(item.type == pdfium.FPDF_PAGEOBJ_IMAGE for item in inner):
                pictured += _area(found.get_bounds())  # the form's pictures have coordinates of the form
        if seen > _MOST_OBJECTS or pictured > _MOST_PICTURED * _area((0, 0, *page.get_size())):
            return False
    return visible


def _area(bounds: tuple[float, float, float, float]) -> float:
    left, bottom, right, top = bounds
    return max(0.0, right - left) * max(0.0, top - bottom)


def _letters(text_page: Any) -> list[list[_Letter]]:
    """The letters of each word; no words if too many letters are unknown, or if there are too many."""
    count = text_page.count_chars()
    if not 0 < count <= _MOST_LETTERS:
        return []
    words: list[list[_Letter]] = [[]]
    line = unknown = known = 0
    edges = [ctypes.c_double() for _ in range(4)]
    left, right, bottom, top = edges
    for index in range(count):
        code = pdfium.FPDFText_GetUnicode(text_page, index)
        if code in _HYPHENS:
            code = ord("-")
        letter = chr(code)
        if letter.isspace() or not code:
            line += letter == "\n"
            if words[-1]:
                words.append([])
            continue
        if _is_unknown(code) or pdfium.FPDFText_HasUnicodeMapError(text_page, index) == 1:
            unknown += 1
        else:
            known += 1
        pdfium.FPDFText_GetCharBox(text_page, index, left, right, bottom, top)
        words[-1].append(_Letter(letter, line, (left.value, bottom.value, right.value, top.value)))
    if not known or unknown > _MOST_UNKNOWN * (known + unknown):
        return []
    return [word for word in words if word]


def _is_unknown(code: int) -> bool:
    return code < 0x20 or code == 0xFFFD or 0xE000 <= code < 0xF900 or 0x7F <= code < 0xA0


def _words(page: PdfPage, words: list[list[_Letter]], width: int, height: int) -> Iterator[tuple[str, int, Box]]:
    """Text, line and box of each word that is on the page."""
    for letters in words:
        text = "".join(letter.text for letter in letters)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        lefts, bottoms, rights, tops = zip(*(letter.box for letter in letters), strict=True)
        ends = [
            _to_pixels(page, *corner, width, height)
            for corner in ((min(lefts), min(bottoms)), (max(rights), max(tops)))
        ]
        x0, x1 = sorted(end[0] for end in ends)
        y0, y1 = sorted(end[1] for end in ends)
        if 0 <= (x0 + x1) / 2 < width and 0 <= (y0 + y1) / 2 < height:
            x0, y0 = max(0, min(x0, width - 1)), max(0, min(y0, height - 1))
            yield text, letters[0].line, (x0, y0, max(x0 + 1, min(x1, width)), max(y0 + 1, min(y1, height)))


def _to_pixels(page: PdfPage, x: float, y: float, width: int, height: int) -> tuple[int, int]:
    """From points in the page's own space to pixels of the page as it is shown: rotated and cropped."""
    across, down = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, across, down)
    return across.value, down.value


def _structured(words: Iterator[tuple[str, int, Box]]) -> list[Word]:
    """Words with their numbers: a new block begins if a line is not close below the line before it."""
    lines: list[list[tuple[str, Box]]] = []
    before: int | None = None
    for text, line, box in words:
        if line != before:
            lines.append([])
            before = line
        lines[-1].append((text, box))
    found: list[Word] = []
    block = number = 0
    last: Box | None = None
    for row in lines:
        box = _around([place for _, place in row])
        if last is None or not _follows(last, box):
            block, number = block + 1, 0
        number += 1
        last = box
        found += [
            Word(text=text, confidence=_EMBEDDED_CONFIDENCE, bbox=place, block=block, paragraph=1, line=number)
            for text, place in row
        ]
    return found


def _follows(above: Box, below: Box) -> bool:
    size = min(above[3] - above[1], below[3] - below[1])
    beside = below[0] >= above[2] or below[2] <= above[0]
    return not beside and -size / 2 < below[1] - above[3] < 1.2 * size


def _around(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
