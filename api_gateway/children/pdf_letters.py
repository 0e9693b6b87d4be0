"""The letters of a PDF page, each at its place, as PDFium finds them.

A call of PDFium costs more than all else here. Two boxes per letter are asked for, the rest only where a letter
starts another line, size or direction.
"""

from __future__ import annotations

import ctypes
import math
import sys
import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

import pypdfium2.raw as pdfium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdfium2 import PdfPage, PdfTextPage

    Box = tuple[float, float, float, float]
    Matrix = tuple[float, float, float, float, float, float]

NO_SPACE, GENERATED_SPACE, SPACE = 0, 1, 2

_MOST_LETTERS = 100_000
_SPACES = frozenset(map(ord, "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff")) | {
    *range(0x2000, 0x200C)
}
_LINE_ENDS = frozenset({0x0A, 0x0D})
_HYPHENS = frozenset(
    {0x02, 0xAD, 0xFFFE}
)  # PDFium returns the first and the last one for a hyphen at a line's end
_LIGATURES = dict(zip(range(0xFB00, 0xFB07), ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True))
# Windows fonts of symbols put their glyphs into the private area; these are the bullets of word processors.
_BULLETS = {0xF0B7: "•", 0xF0A7: "▪", 0xF0A8: "◻", 0xF0D8: "➢", 0xF0FC: "✓", 0xF076: "❖", 0xF02D: "-"}

_FINE = 256  # parts of a pixel: PDFium gives whole numbers
_FAR = 1000  # points
_LEVEL = 1e-3
_NO_TEXT = frozenset({"Cc", "Cn", "Co", "Cs"})  # control, unassigned, private use, surrogate
_TURNED_ENOUGH = 0.3
_MOST_ASTRAY = 4.0  # a font's size from the height of its letters


class Letter(NamedTuple):
    """A character; more than one for a ligature, none if the file doesn't say which one.

    Coordinates are pixels of the page as it is shown, from its top left corner. `box` is x0, y0, x1, y1 around the
    ink. `origin` is where the letter's baseline begins, `advance` how far it moves the pen along the baseline,
    `size` the size of the font. `angle` is the direction of the baseline in degrees, counterclockwise: 0 is to the
    right, 90 is up. `space` says whether a space is before the letter in PDFium's order, and whose it is. `number`
    is the index in PDFium's order.
    """

    text: str
    box: Box
    origin: tuple[float, float]
    advance: float
    angle: float
    size: float
    space: int
    number: int


class _Style(NamedTuple):
    """`angle` and `size` as in a letter; `upright`: neither turned nor slanted in the page's own space."""

    angle: float
    size: float
    upright: bool


def read(page: PdfPage, text_page: PdfTextPage, width: int, height: int) -> list[Letter] | None:
    """The letters on a page that is shown with `width` by `height` pixels, in PDFium's order.

    None if there are too many.
    """
    count = text_page.count_chars()
    if count > _MOST_LETTERS:
        return None
    matrix = a, b, c, d, e, f = _to_pixels(page, width, height)
    scale = math.hypot(c, d)
    handle = text_page.raw
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    loose = pdfium.FS_RECTF()
    place = ctypes.byref(loose)
    get_box, get_loose = pdfium.FPDFText_GetCharBox, pdfium.FPDFText_GetLooseCharBox
    letters: list[Letter] = []
    low = high = baseline = 0.0  # the edges of the loose box are the same for all upright letters of a line
    style = _Style(0.0, 0.0, upright=False)
    for index, text, space in _characters(handle, count):
        get_box(handle, index, left, right, bottom, top)
        get_loose(handle, index, place)
        x0, y0, x1, y1 = loose.left, loose.bottom, loose.right, loose.top
        if style.upright and y0 == low and y1 == high:
            x, y = x0, baseline
            advance = (x1 - x0) * scale
        else:
            style, x, y = _style(handle, index, matrix, y1 - y0)
            low, high, baseline = y0, y1, y
            advance = (x1 - x if style.upright else _advance(handle, index, x1 - x0, y1 - y0)) * scale
        # The page's matrix only turns by multiples of 90 degrees, so that two corners make the box.
        x0, y0, x1, y1 = left.value, bottom.value, right.value, top.value
        if not text and (x0 == x1 or y0 == y1):
            continue  # a space, or a control code, that the font doesn't name
        x0, y0, x1, y1 = a * x0 + c * y0 + e, b * x0 + d * y0 + f, a * x1 + c * y1 + e, b * x1 + d * y1 + f
        if x0 > x1:
            x0, x1 = x1, x0
        if y0 > y1:
            y0, y1 = y1, y0
        at = (a * x + c * y + e, b * x + d * y + f)
        letters.append(Letter(text, (x0, y0, x1, y1), at, advance, style.angle, style.size, space, index))
    return letters


def _characters(handle: Any, count: int) -> Iterator[tuple[int, str, int]]:
    """Index, text and space before it of each letter."""
    get_code, has_error = pdfium.FPDFText_GetUnicode, pdfium.FPDFText_HasUnicodeMapError
    space = first = 0
    for index in range(count):
        code = get_code(handle, index)
        if code in _SPACES:
            generated = code in _LINE_ENDS or pdfium.FPDFText_IsGenerated(handle, index) == 1
            space = max(space, GENERATED_SPACE if generated else SPACE)
            continue
        if 0xD800 <= code < 0xDC00:
            if first:
                yield index - 1, "", space
            first = code
            continue
        if first:
            pair = 0xDC00 <= code < 0xE000
            yield index - 1, chr(0x10000 + ((first & 0x3FF) << 10) + (code & 0x3FF)) if pair else "", space
            first = 0
            if pair:
                space = NO_SPACE
                continue
        text = chr(code) if 0x20 < code < 0x7F else _text(code)
        yield index, "" if has_error(handle, index) == 1 else text, space
        space = NO_SPACE
    if first:
        yield count - 1, "", space


def _text(code: int) -> str:
    """The text of a code outside of ASCII; empty for a code that is no character."""
    if code in _HYPHENS:
        return "-"
    text = _LIGATURES.get(code) or _BULLETS.get(code)
    if text is None and code <= sys.maxunicode and unicodedata.category(chr(code)) not in _NO_TEXT:
        text = chr(code)
    return "" if text is None or text == "\ufffd" else text


def _to_pixels(page: PdfPage, width: int, height: int) -> Matrix:
    """The matrix from points of the page's own space to pixels of the page as it is shown: rotated and cropped."""
    x, y = ctypes.c_int(), ctypes.c_int()
    corners = []
    for corner in ((0, 0), (_FAR, 0), (0, _FAR)):
        pdfium.FPDF_PageToDevice(page, 0, 0, width * _FINE, height * _FINE, 0, *corner, x, y)
        corners.append((x.value / _FINE, y.value / _FINE))
    (e, f), (right, right_down), (up, up_down) = corners
    return (right - e) / _FAR, (right_down - f) / _FAR, (up - e) / _FAR, (up_down - f) / _FAR, e, f


def _style(handle: Any, index: int, shown: Matrix, tall: float) -> tuple[_Style, float, float]:
    """The style and the origin of a letter, which is in the page's own space, as is its height `tall`."""
    x, y = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(handle, index, x, y)
    own = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(handle, index, own)
    em = pdfium.FPDFText_GetFontSize(handle, index)
    across, rise = math.copysign(own.a, own.a * em), math.copysign(own.b, own.b * em)
    length = math.hypot(across, rise)
    if not (length and math.isfinite(length)):
        across, rise, length = 1.0, 0.0, 1.0
    right, right_down, up, up_down, _, _ = shown
    angle = math.degrees(math.atan2(-(right_down * across + up_down * rise), right * across + up * rise))
    size = abs(em * (own.a * own.d - own.b * own.c)) / length
    upright = across > 0 and max(abs(rise), abs(own.c)) < _LEVEL * length
    if not 0 < size < math.inf or (upright and not tall / _MOST_ASTRAY < size < tall * _MOST_ASTRAY):
        size = abs(tall)  # fonts of drawn glyphs have units of their own
    return _Style(round(angle, 2) % 360, size * math.hypot(up, up_down), upright), x.value, y.value


def _advance(handle: Any, index: int, width: float, height: float) -> float:
    """How far a turned or slanted letter moves the pen, in points.

    `width` and `height` are those of its loose box, which is around a rectangle that the letter's matrix has
    turned and slanted. Its sides follow from that, except near 45 degrees: there, one is taken from the font.
    """
    own = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(handle, index, own)
    a, b, c, d = (abs(float(value)) for value in (own.a, own.b, own.c, own.d))
    length, turned = math.hypot(a, b), a * d - b * c
    if abs(turned) > _TURNED_ENOUGH * length * math.hypot(c, d):
        return max(0.0, (width * d - height * c) / turned * length)
    font = pdfium.FPDFTextObj_GetFont(pdfium.FPDFText_GetTextObject(handle, index))
    ascent, descent = ctypes.c_float(), ctypes.c_float()
    em = pdfium.FPDFText_GetFontSize(handle, index)
    pdfium.FPDFFont_GetAscent(font, em, ascent)
    pdfium.FPDFFont_GetDescent(font, em, descent)
    tall = abs(ascent.value - descent.value)
    return max(0.0, (width - tall * c) / (a or 1.0) * length)
