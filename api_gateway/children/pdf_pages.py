"""PDF by PDFium: pages as grey pixels, or their embedded text."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from api_gateway.children import grey, pdf_text, preview
from api_gateway.children.pdfium_file import PdfiumFile
from api_gateway.children.refusal import Refused
from service_kit.page import make_page
from service_kit.reading_order import arrange

if TYPE_CHECKING:
    from pathlib import Path

    from service_kit.frames import Header

_POINTS_PER_INCH = 72
_LEAST_DPI = 72  # that a client can ask for
_LOWEST_DPI = 100  # of a large page whose client asked for none: below it, usual letters are not read
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
        self._file = PdfiumFile(path, password)
        self.page_count = self._file.page_count

    def page(
        self, number: int, dpi: float, *, embedded_text: bool, may_lower_dpi: bool = False
    ) -> tuple[Header, bytes]:
        """Width, height and dpi of the page with its picture; or the page itself if all its text is embedded.

        If more text may be on the page, its picture and the embedded words.

        Raises:
            Refused: it can't be read, or is too large.
        """
        began = time.monotonic()
        page = self._file.page(number)
        try:
            width, height, dpi = self._size(page, self._file.unit(number), dpi, may_lower_dpi=may_lower_dpi)
            known: Header = {"width": width, "height": height, "dpi": dpi}
            if self._file.repaired:
                known["warnings"] = ["repaired"]
            text = pdf_text.read(page, width, height, dpi, _drawn) if embedded_text else None
            if text is None or not text.words:
                return known, self._picture(page, width, height, dpi)
            if text.more:
                placed = [tuple(word) for word in text.words]
                return {**known, "words": placed}, self._picture(page, width, height, dpi)
            words = arrange(text.words)
            seconds = time.monotonic() - began
            read = make_page(
                words, width=width, height=height, page_count=1, engine=None, duration_seconds=seconds
            )
            return {**known, "page": read}, b""
        finally:
            page.close()

    def preview(self, number: int, width: int) -> preview.Preview:
        """The page in colour, with the area and the rotation that are read.

        Raises:
            Refused: it can't be drawn, or is too large to be read at any dpi.
        """
        page = self._file.page(number)
        try:
            self._size(page, self._file.unit(number), _LEAST_DPI, may_lower_dpi=False)
            bitmap = _drawn(page, *preview.size_within(page.get_size(), width), pdfium.FPDFBitmap_BGRx)
            try:
                return preview.encoded(
                    Image.frombuffer(
                        "RGB", (bitmap.width, bitmap.height), bitmap.buffer, "raw", "BGRX", bitmap.stride, 1
                    )
                )
            finally:
                bitmap.close()
        finally:
            page.close()

    def _size(
        self, page: pypdfium2.PdfPage, unit: float, dpi: float, *, may_lower_dpi: bool
    ) -> tuple[int, int, float]:
        """Pixels, rounded as PDFium rounds them, and the dpi that they have."""
        sides = tuple(side * unit for side in page.get_size())
        if not all(math.isfinite(side) and side > 0 for side in sides):
            raise Refused("damaged_page", "The page has no size.")
        across, down = sides
        if max(sides) > self._limits.points:
            raise Refused(
                "page_too_large",
                f"The page is {across:.0f} by {down:.0f} points; "
                f"at most {self._limits.points:g} are read on a side.",
            )
        width, height = _pixels(sides, dpi)
        while width * height > self._limits.pixels and may_lower_dpi and dpi > _LOWEST_DPI:
            fits = math.floor(_POINTS_PER_INCH * math.sqrt(self._limits.pixels / (across * down)))
            dpi = max(_LOWEST_DPI, min(dpi - 1, fits))
            width, height = _pixels(sides, dpi)
        if width * height > self._limits.pixels:
            raise Refused(
                "too_many_pixels",
                f"The page is {width} by {height} pixels at {dpi:g} dpi; at most "
                f"{self._limits.pixels / 1e6:g} megapixels are read. A lower dpi helps.",
            )
        return width, height, dpi

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


def _pixels(sides: tuple[float, ...], dpi: float) -> tuple[int, int]:
    width, height = (math.ceil(side * dpi / _POINTS_PER_INCH * (1 - _FLOAT_ERROR)) for side in sides)
    return width, height


def _drawn(
    page: pypdfium2.PdfPage, width: int, height: int, colours: int = pdfium.FPDFBitmap_Gray
) -> pypdfium2.PdfBitmap:
    """The page, in grey by default; a scan of exactly this size is copied pixel for pixel.

    PDFium's simpler calls have two faults. They compute the edge of a scan as 3508.0001 and draw 3509 rows,
    slightly blurred; hence the inset. And their flag for grey converts each object to grey first: that takes five
    times as long and blends overlapping colours wrongly. A grey bitmap needs no flag.
    """
    bitmap = pypdfium2.PdfBitmap.new_native(width, height, colours)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
    across, down = (
        (pixels - 2 * _INSET) / points for pixels, points in zip((width, height), page.get_size(), strict=True)
    )
    matrix, clip = pdfium.FS_MATRIX(across, 0, 0, down, _INSET, _INSET), pdfium.FS_RECTF(0, 0, width, height)
    pdfium.FPDF_RenderPageBitmapWithMatrix(bitmap, page, matrix, clip, pdfium.FPDF_ANNOT)
    if page.formenv:
        pdfium.FPDF_FFLDraw(page.formenv, bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)
    return bitmap
