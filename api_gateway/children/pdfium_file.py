"""A PDF opened by PDFium: with its password, repaired if PDFium refuses it, and each page with a size."""

from __future__ import annotations

import io
import os
import re
from typing import TYPE_CHECKING

import pypdfium2
import pypdfium2.raw as pdfium

from api_gateway.children import passwords, user_units
from api_gateway.children.refusal import Refused

if TYPE_CHECKING:
    from pathlib import Path

_ANYWHERE = 1e6  # points: beyond any page
_XFA = frozenset({pdfium.FORMTYPE_XFA_FULL, pdfium.FORMTYPE_XFA_FOREGROUND})
_NEEDS_READER = re.compile(r"\bAdobe\s+(Acrobat|Reader)|\bAcrobat\s+Reader", re.IGNORECASE)
_LONGEST_NOTICE = 2500  # characters: Adobe's is shorter, and a form that mentions the program is mostly longer


class PdfiumFile:
    """`repaired` tells whether the pages come from a repaired copy, which is in memory."""

    def __init__(self, path: Path, password: str | None) -> None:
        """Open it.

        Raises:
            Refused: it is encrypted and the password is missing or wrong, or it can't be read.
            Exception: as `qpdf_file.repaired`.
        """
        self._path = path
        self._password = password
        self._units: dict[int, float] | None = None
        document = _opened(path, password)
        self.repaired = self._tried = document is None
        self._document = document or self._repaired()
        self.page_count = len(self._document)
        self._begin()

    def page(self, number: int) -> pypdfium2.PdfPage:
        """Page `number`, counted from 1; a file whose page can't be loaded is repaired, once.

        Raises:
            Refused: the page can't be loaded.
        """
        try:
            page = self._document[number - 1]
        except pypdfium2.PdfiumError:
            self._try_repair()
            try:
                page = self._document[number - 1]
            except pypdfium2.PdfiumError:
                text = "The page can't be found in the file, or is damaged."
                raise Refused("damaged_page", text) from None
        if not all(page.get_size()):  # the crop box lies outside the media box
            pdfium.FPDFPage_SetCropBox(page, -_ANYWHERE, -_ANYWHERE, _ANYWHERE, _ANYWHERE)
        return page

    def unit(self, number: int) -> float:
        """The page's UserUnit: PDFium gives sizes in this multiple of a point."""
        if self._units is None:
            self._units = user_units.read(self._path, self._password, repaired=self.repaired)
        return self._units.get(number, 1.0)

    def _begin(self) -> None:
        kind = self._document.get_formtype()
        if kind in _XFA and self.page_count == 1 and _is_notice(self._document):
            raise Refused("xfa_form")
        if kind != pdfium.FORMTYPE_NONE:
            self._document.init_forms()

    def _try_repair(self) -> None:
        """Go on with a repaired copy if it has as many pages."""
        if self._tried:
            return
        self._tried = True
        try:
            copy = self._repaired()
        except Exception:  # noqa: BLE001 - as in `split_main`; only the page is damaged then
            return
        if len(copy) == self.page_count:
            self._document, self.repaired, self._units = copy, True, None
            self._begin()

    def _repaired(self) -> pypdfium2.PdfDocument:
        """A repaired copy; qpdf is imported only here, as few files need it."""
        from pikepdf import PasswordError  # noqa: PLC0415

        from api_gateway.children import qpdf_file  # noqa: PLC0415

        try:
            with qpdf_file.repaired(self._path, self._password) as pdf:
                copy = qpdf_file.saved(pdf)
        except PasswordError:
            raise _locked(self._password) from None
        return pypdfium2.PdfDocument(copy)


def copied(path: Path, password: str | None) -> bytes:
    """The file as PDFium writes it, without encryption; it has a new cross-reference table.

    Raises:
        Refused, PdfiumError: it can't be read.
    """
    document = _opened(path, password)
    if document is None:
        raise Refused("damaged_document", "The file can't be read.")
    with document:
        stream = io.BytesIO()
        document.save(stream, flags=pdfium.FPDF_REMOVE_SECURITY)
        return stream.getvalue()


def _opened(path: Path, password: str | None) -> pypdfium2.PdfDocument | None:
    """The document; None if PDFium does not understand the file.

    Raises:
        Refused: the password is missing or wrong, or the encryption is of an unknown kind.
    """
    for candidate in passwords.candidates(password):
        raw = pdfium.FPDF_LoadDocument(os.fsencode(path) + b"\0", candidate + b"\0")
        if pdfium.FPDF_GetPageCount(raw) > 0:
            return pypdfium2.PdfDocument(raw)
        if raw:
            pdfium.FPDF_CloseDocument(raw)
            return None
        match pdfium.FPDF_GetLastError():
            case pdfium.FPDF_ERR_PASSWORD:
                continue
            case pdfium.FPDF_ERR_SECURITY:
                raise Refused("damaged_document", "The PDF is encrypted in a way that is not read here.")
            case _:
                return None
    raise _locked(password)


def _locked(password: str | None) -> Refused:
    return Refused("password_required" if password is None else "wrong_password")


def _is_notice(document: pypdfium2.PdfDocument) -> bool:
    """Whether the only page of an XFA form just asks for the program that makes its pages."""
    try:
        page = document[0]
    except pypdfium2.PdfiumError:
        return False
    try:
        text = page.get_textpage().get_text_range()
        widgets = any(_kind(page, index) == pdfium.FPDF_ANNOT_WIDGET for index in range(_annotations(page)))
    finally:
        page.close()
    return not widgets and len(text) < _LONGEST_NOTICE and _NEEDS_READER.search(text) is not None


def _annotations(page: pypdfium2.PdfPage) -> int:
    count: int = pdfium.FPDFPage_GetAnnotCount(page)
    return count


def _kind(page: pypdfium2.PdfPage, index: int) -> int:
    annotation = pdfium.FPDFPage_GetAnnot(page, index)
    kind: int = pdfium.FPDFAnnot_GetSubtype(annotation)
    pdfium.FPDFPage_CloseAnnot(annotation)
    return kind
