"""Text objects that draw the same letters as another one beside it, to make them bold or give them a shadow.

PDFium gives the letters of only one of them.
"""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pypdfium2.raw as pdfium

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pypdfium2 import PdfPage

_MOST_OBJECTS = 20_000
_DEPTH = 15  # of nested forms
_APART = 0.2  # of the text's height


class _Text(NamedTuple):
    """A text object by its address, what its copies have in common with it, and its place."""

    address: int
    kind: tuple[int, int, float, float]
    left: float
    bottom: float
    height: float


def copies(page: PdfPage, known: Collection[int]) -> set[int]:
    """The addresses of further text objects that copy known ones, which are given by their addresses."""
    originals: defaultdict[tuple[int, int, float, float], list[_Text]] = defaultdict(list)
    others = []
    for text in _texts(page):
        if text.address in known:
            originals[text.kind].append(text)
        else:
            others.append(text)
    return {
        text.address
        for text in others
        if any(
            max(abs(text.left - original.left), abs(text.bottom - original.bottom)) < _APART * text.height
            for original in originals[text.kind]
        )
    }


def _texts(page: PdfPage) -> Iterator[_Text]:
    found = _objects(page.raw, pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject, 0)
    for (container, handle), _ in zip(found, range(_MOST_OBJECTS), strict=False):
        if pdfium.FPDFPageObj_GetType(handle) == pdfium.FPDF_PAGEOBJ_TEXT:
            left, bottom, right, top = (ctypes.c_float() for _ in range(4))
            pdfium.FPDFPageObj_GetBounds(handle, left, bottom, right, top)
            width, height = right.value - left.value, top.value - bottom.value
            kind = (container, address_of(pdfium.FPDFTextObj_GetFont(handle)), round(width, 2), round(height, 2))
            yield _Text(address_of(handle), kind, left.value, bottom.value, height)


def _objects(
    container: Any, count: Callable[[Any], int], get: Callable[[Any, int], Any], depth: int
) -> Iterator[tuple[int, Any]]:
    """Each object with the address of the page or form that it is in."""
    address = address_of(container)
    for index in range(count(container)):
        handle = get(container, index)
        yield address, handle
        if depth < _DEPTH and pdfium.FPDFPageObj_GetType(handle) == pdfium.FPDF_PAGEOBJ_FORM:
            yield from _objects(handle, pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject, depth + 1)


def address_of(handle: Any) -> int:
    """The address of a PDFium object; 0 for none."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0
