"""Letters that PDFium can't draw: the file has no font for them, and this machine neither. Viewers show them.

Their own ink can't show whether such letters are seen. A letter counts as seen if its colour differs from the
plain ground at its place, if nothing clips its text away, and if it is not in a layer, which may be hidden.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from api_gateway.children.pdf_letters import Letter

_LEAST_CONTRAST = 6  # of 255
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
_MOST_CLIPS, _MOST_POINTS = 10, 100
_LAYER = "OC\0".encode("utf-16-le")  # the mark of a layer's content, as PDFium gives it


def would_be_seen(letter: Letter, text: Any, picture: Image.Image, box: tuple[int, int, int, int]) -> bool:
    """`text` is the letter's text object, `box` its place in the page's picture, which is grey."""
    if len(letter.text) != 1 or letter.text.isascii() or _has_glyph(text, letter.text):
        return False
    if _is_in_layer(text) or _is_clipped(text):
        return False
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not pdfium.FPDFPageObj_GetFillColor(text, red, green, blue, alpha) or not alpha.value:
        return False
    least, most = picture.crop(box).getextrema()
    ink = _RED * red.value + _GREEN * green.value + _BLUE * blue.value
    plain = most - least < _LEAST_CONTRAST  # type: ignore[operator]
    return plain and abs(ink - least) >= _LEAST_CONTRAST  # type: ignore[operator]


def _has_glyph(text: Any, letter: str) -> bool:
    font = pdfium.FPDFTextObj_GetFont(text)
    return pdfium.FPDFFont_GetIsEmbedded(font) != 0 or bool(pdfium.FPDFFont_GetGlyphPath(font, ord(letter), 12.0))


def _is_in_layer(text: Any) -> bool:
    name = (ctypes.c_ushort * (len(_LAYER) // 2))()
    length = ctypes.c_ulong()
    return any(
        pdfium.FPDFPageObjMark_GetName(pdfium.FPDFPageObj_GetMark(text, index), name, len(_LAYER), length)
        and length.value == len(_LAYER)
        and bytes(name) == _LAYER
        for index in range(pdfium.FPDFPageObj_CountMarks(text))
    )


def _is_clipped(text: Any) -> bool:
    """Whether a clipping path is elsewhere than the text."""
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    pdfium.FPDFPageObj_GetBounds(text, left, bottom, right, top)
    clips = pdfium.FPDFPageObj_GetClipPath(text)
    for path in range(min(_MOST_CLIPS, pdfium.FPDFClipPath_CountPaths(clips))):
        points = [*_points(clips, path)]
        if points:
            across, up = zip(*points, strict=True)
            if max(across) <= left.value or min(across) >= right.value:
                return True
            if max(up) <= bottom.value or min(up) >= top.value:
                return True
    return False


def _points(clips: Any, path: int) -> Iterator[tuple[float, float]]:
    """The corners of a clipping path; none of one that has too many."""
    x, y = ctypes.c_float(), ctypes.c_float()
    count = pdfium.FPDFClipPath_CountPathSegments(clips, path)
    for index in range(count if count <= _MOST_POINTS else 0):
        segment = pdfium.FPDFClipPath_GetPathSegment(clips, path, index)
        if pdfium.FPDFPathSegment_GetPoint(segment, x, y):
            yield x.value, y.value
