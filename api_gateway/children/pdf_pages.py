"""PDF by PDFium: pages as grey pixels, or their embedded text."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from api_gateway.children import grey, pdf_text
from api_gateway.children.refusal import Refused
from service_kit.page import make_page

if TYPE_CHECKING:
    from pathlib import Path

    from service_kit.child import Header

_POINTS_PER_INCH = 72
_FLOAT_ERROR = 1e-6  # relative, of a page's sides: PDFium uses single precision
_INSET = 0.005  # pixels


class PageLimits(NamedTuple):
    """Limits for a page: points per side, pixels, and bytes of the file for the model server."""

    points: float
    pixels: int
    image_bytes: int


class PdfPages:
    def __init__(self, path: Path, password: str | None, limits: PageLimits) -> None:
        """Open it.

        Raises:
            Refused: it is encrypted and the password is missing or wrong, or it can't be read.
        """
        self._limits = limits
        try:
            self._document = pypdfium2.PdfDocument(path, password=password)
        except pypdfium2.PdfiumError as error:
            raise _refusal(error, password) from None
        self.page_count = len(self._document)
        if not self.page_count:
            raise Refused("damaged_document", "The PDF has no page.")
        if self._document.get_formtype() != pdfium.FORMTYPE_NONE:
            self._document.init_forms()

    def page(self, number: int, dpi: float, *, embedded_text: bool) -> tuple[Header, bytes]:
        """Width, height and dpi of the page with its picture; or the page itself if its embedded text is used.

        Raises:
            Refused: it can't be read, or is too large.
        """
        began = time.monotonic()
        try:
            page = self._document[number - 1]
        except pypdfium2.PdfiumError:
            raise Refused("damaged_page", "The page can't be found in the file, or is damaged.") from None
        try:
            width, height = self._size(page, dpi)
            known = {"width": width, "height": height, "dpi": dpi}
            if embedded_text and (words := pdf_text.read(page, width, height)):
                seconds = time.monotonic() - began
                read = make_page(
                    words, width=width, height=height, page_count=1, engine=None, duration_seconds=seconds
                )
                return {**known, "page": read}, b""
            return known, self._picture(page, width, height, dpi)
        finally:
            page.close()

    def _size(self, page: pypdfium2.PdfPage, dpi: float) -> tuple[int, int]:
        """Pixels, rounded as PDFium rounds them."""
        sides = page.get_size()
        if not all(math.isfinite(side) and side > 0 for side in sides):
            raise Refused("damaged_page", "The page has no size.")
        across, down = sides
        if max(sides) > self._limits.points:
            raise Refused(
                "page_too_large",
                f"The page is {across:.0f} by {down:.0f} points; "
                f"at most {self._limits.points:g} are read on a side.",
            )
        width, height = (math.ceil(side * dpi / _POINTS_PER_INCH * (1 - _FLOAT_ERROR)) for side in sides)
        if width * height > self._limits.pixels:
            raise Refused(
                "too_many_pixels",
                f"The page is {width} by {height} pixels at {dpi:g} dpi; at most "
                f"{self._limits.pixels / 1e6:g} megapixels are read. A lower dpi helps.",
            )
        return width, height

    def _picture(self, page: pypdfium2.PdfPage, width: int, height: int, dpi: float) -> bytes:
        bitmap = _drawn(page, width, height)
        try:
            pixels = memoryview(bitmap.buffer).cast("B")
            if bitmap.stride != bitmap.width:
                rows = range(0, bitmap.stride * bitmap.height, bitmap.stride)
                pixels = memoryview(b"".join(pixels[row : row + bitmap.width] for row in rows))
            return grey.pack(pixels, bitmap.width, bitmap.height, dpi, self._limits.image_bytes)
        finally:
            bitmap.close()


def _drawn(page: pypdfium2.PdfPage, width: int, height: int) -> pypdfium2.PdfBitmap:
    """The page in grey; a scan of exactly this size is copied pixel for pixel.

    PDFium's simpler calls have two faults. They compute the edge of a scan as 3508.0001 and draw 3509 rows,
    slightly blurred; hence the inset. And their flag for grey converts each object to grey first: that takes five
    times as long and blends overlapping colours wrongly. A grey bitmap needs no flag.
    """
    bitmap = pypdfium2.PdfBitmap.new_native(width, height, pdfium.FPDFBitmap_Gray)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
    across, down = (
        (pixels - 2 * _INSET) / points for pixels, points in zip((width, height), page.get_size(), strict=True)
    )
    matrix, clip = pdfium.FS_MATRIX(across, 0, 0, down, _INSET, _INSET), pdfium.FS_RECTF(0, 0, width, height)
    pdfium.FPDF_RenderPageBitmapWithMatrix(bitmap, page, matrix, clip, pdfium.FPDF_ANNOT)
    if page.formenv:
        pdfium.FPDF_FFLDraw(page.formenv, bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)
    return bitmap


def _refusal(error: pypdfium2.PdfiumError, password: str | None) -> Refused:
    match error.err_code:
        case pdfium.FPDF_ERR_PASSWORD if password is None:
            return Refused("password_required")
        case pdfium.FPDF_ERR_PASSWORD:
            return Refused("wrong_password")
        case pdfium.FPDF_ERR_SECURITY:
            return Refused("damaged_document", "The PDF is encrypted in a way that is not read here.")
        case _:
            return Refused("damaged_document")
