"""Buttons and icons of notes: a page's controls, whose captions are no text of the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pypdfium2.raw as pdfium

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

_MOST_ANNOTATIONS = 5000
_ICONS = frozenset(
    {pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_POPUP, pdfium.FPDF_ANNOT_FILEATTACHMENT, pdfium.FPDF_ANNOT_SOUND}
)
_CAPTION = frozenset({pdfium.FPDF_PAGEOBJ_TEXT, pdfium.FPDF_PAGEOBJ_PATH})
_SYMBOL = frozenset({pdfium.FPDF_PAGEOBJ_PATH})
_PUSH_BUTTON = 1 << 16  # of the field's flags
_HIDDEN = pdfium.FPDF_ANNOT_FLAG_HIDDEN


@contextmanager
def without_controls(page: PdfPage) -> Iterator[None]:
    """The page is drawn without its controls while the context lasts."""
    flags = {}
    for index in range(min(_MOST_ANNOTATIONS, pdfium.FPDFPage_GetAnnotCount(page))):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if _is_control(page, annotation):
            flags[index] = pdfium.FPDFAnnot_GetFlags(annotation)
            pdfium.FPDFAnnot_SetFlags(annotation, flags[index] | _HIDDEN)
        pdfium.FPDFPage_CloseAnnot(annotation)
    try:
        yield
    finally:
        for index, before in flags.items():
            annotation = pdfium.FPDFPage_GetAnnot(page, index)
            pdfium.FPDFAnnot_SetFlags(annotation, before)
            pdfium.FPDFPage_CloseAnnot(annotation)


def _is_control(page: PdfPage, annotation: pdfium.FPDF_ANNOTATION) -> bool:
    """A button with a picture is none: forms keep pictures in buttons."""
    kind = pdfium.FPDFAnnot_GetSubtype(annotation)
    if kind in _ICONS:
        return _draws_only(annotation, _SYMBOL)
    return (
        kind == pdfium.FPDF_ANNOT_WIDGET
        and _is_push_button(page, annotation)
        and _draws_only(annotation, _CAPTION)
    )


def _is_push_button(page: PdfPage, annotation: pdfium.FPDF_ANNOTATION) -> bool:
    if page.formenv:
        found = pdfium.FPDFAnnot_GetFormFieldType(page.formenv, annotation)
        return bool(found == pdfium.FPDF_FORMFIELD_PUSHBUTTON)
    return False


def _draws_only(annotation: pdfium.FPDF_ANNOTATION, kinds: frozenset[int]) -> bool:
    return all(
        pdfium.FPDFPageObj_GetType(pdfium.FPDFAnnot_GetObject(annotation, index)) in kinds
        for index in range(pdfium.FPDFAnnot_GetObjectCount(annotation))
    )
