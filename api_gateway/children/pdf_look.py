"""What a PDF page shows: which of its letters can be seen, and whether it shows anything else that may be text.

The page is drawn small with its text, and again without. Where the two differ, there is text that can be seen:
hidden layers, white text on white, covered or clipped text and text without ink make no difference. What the
second drawing shows may hold text that only recognition finds.
"""

from __future__ import annotations

import ctypes
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pypdfium2.raw as pdfium
from PIL import Image, ImageChops

from api_gateway.children.pdf_controls import without_controls
from api_gateway.children.pdf_copies import address_of, copies
from api_gateway.children.pdf_undrawn import would_be_seen
from api_gateway.children.remainder import may_hold_text

if TYPE_CHECKING:
    from pypdfium2 import PdfBitmap, PdfPage, PdfTextPage

    from api_gateway.children.pdf_letters import Letter

    Draw = Callable[[PdfPage, int, int], PdfBitmap]
    Object = int  # address of a text object
    Box = tuple[float, float, float, float]

_DPI = 100
_SMALLEST_SIDE = 800  # pixels of the longer side, unless the page is to be read at fewer
_MOST_PIXELS = 6_000_000
_LEAST_INK = 6  # difference that a letter makes, of 255; the drawing is small, so thin strokes are pale
_MOST_SECONDS = 1.0  # of CPU for a drawing; a page that takes longer is recognised, which needs only one
_NARROW = 4  # pixels
_MOST_GROUPS = 4
_MOST_UNKNOWN = 0.1  # share of a font's letters
_WITHOUT_INK = frozenset({pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP})


class Seen(NamedTuple):
    """The letters that can be seen, and whether the page may show other text."""

    letters: list[Letter]
    more: bool


def look(
    page: PdfPage, text_page: PdfTextPage, letters: Sequence[Letter], size: tuple[int, int], dpi: float, draw: Draw
) -> Seen | None:
    """Look at a page of `size` pixels at `dpi`, in which the letters' boxes are. None if no letter can be seen."""
    owners = _owners(text_page, letters)
    if not owners:
        return None
    scale = _scale(*size, dpi)
    width, height = (max(1, math.ceil(side * scale)) for side in size)
    boxes = {
        letter.number: _within(letter.box, scale, width, height) for letter in letters if letter.number in owners
    }
    groups = _groups([letter for letter in letters if letter.number in owners], owners, boxes, (width, height))
    with without_controls(page):
        began = time.process_time()
        whole = _picture(page, width, height, draw)
        if time.process_time() - began > _MOST_SECONDS:
            return None
        everything: set[Object] = set().union(*groups)
        with _without(everything):
            rest = _picture(page, width, height, draw)
        inks = {}
        for group in groups:
            without = rest
            if len(group) < len(everything):
                with _without(group):
                    without = _picture(page, width, height, draw)
            inks.update(dict.fromkeys(group, ImageChops.difference(whole, without)))
    found = [
        letter
        for letter in letters
        if (ink := inks.get(owner := owners.get(letter.number, 0))) is not None
        and (box := boxes[letter.number])
        and (
            ink.crop(box).getextrema()[1] >= _LEAST_INK  # type: ignore[operator]
            or would_be_seen(letter, _handle(owner), whole, box)
        )
    ]
    if not found:
        return None
    more = may_hold_text(rest)
    if more and (copied := copies(page, everything)):
        with without_controls(page), _without(everything | copied):
            more = may_hold_text(_picture(page, width, height, draw))
    return Seen(found, more)


@contextmanager
def _without(objects: Iterable[Object]) -> Iterator[None]:
    """The page is drawn without these objects while the context lasts."""
    handles = [*map(_handle, objects)]
    for handle in handles:
        pdfium.FPDFPageObj_SetIsActive(handle, False)
    try:
        yield
    finally:
        for handle in handles:
            pdfium.FPDFPageObj_SetIsActive(handle, True)


def _owners(text_page: PdfTextPage, letters: Sequence[Letter]) -> dict[int, Object]:
    """The text object of each letter by its number, except for objects that recognition has to read.

    These have a letter that is not known, or a font whose letters are often not known.
    """
    owners: dict[int, Object] = {}
    fonts: dict[Object, int | None] = {}  # of the objects that draw ink
    unknown: set[Object] = set()
    totals: Counter[int | None] = Counter()
    missing: Counter[int | None] = Counter()
    for letter in letters:
        handle = pdfium.FPDFText_GetTextObject(text_page, letter.number)
        address = address_of(handle)
        if not address:
            continue
        if address not in fonts:
            without_ink = pdfium.FPDFTextObj_GetTextRenderMode(handle) in _WITHOUT_INK
            fonts[address] = None if without_ink else address_of(pdfium.FPDFTextObj_GetFont(handle))
        owners[letter.number] = address
        font = fonts[address]
        totals[font] += 1
        if not letter.text:
            missing[font] += 1
            unknown.add(address)
    trusted = {font for font, total in totals.items() if font and missing[font] <= _MOST_UNKNOWN * total}
    return {
        number: address
        for number, address in owners.items()
        if fonts[address] in trusted and address not in unknown
    }


def _handle(address: Object) -> Any:
    return ctypes.cast(address, pdfium.FPDF_PAGEOBJECT)


def _scale(width: int, height: int, dpi: float) -> float:
    """The small drawing's size, relative to the page's."""
    wanted = max(_DPI / dpi, _SMALLEST_SIDE / max(width, height))
    return min(1.0, wanted, math.sqrt(_MOST_PIXELS / (width * height)))


def _within(box: Box, scale: float, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Where the small drawing must show the letter's ink; None if that is off the page."""
    if not all(map(math.isfinite, box)):
        return None
    x0, y0, x1, y1 = (value * scale for value in box)
    left, right = _core(x0, x1)
    top, bottom = _core(y0, y1)
    left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _core(start: float, end: float) -> tuple[int, int]:
    """Without the border, where the next letter's ink may be. PDFium moves narrow strokes by up to a pixel."""
    border = 1 if end - start > _NARROW else -1
    return math.floor(start + border), math.ceil(end - border)


def _groups(
    letters: Sequence[Letter],
    owners: dict[int, Object],
    boxes: dict[int, tuple[int, int, int, int] | None],
    size: tuple[int, int],
) -> list[set[Object]]:
    """Objects in groups, so that none stands where another one of its group does; mostly one group.

    Objects that fit into no group are left out: recognition reads them.
    """
    beside: defaultdict[Object, set[Object]] = defaultdict(set)
    shown = [(letter.text, owners[letter.number], box) for letter in letters if (box := boxes[letter.number])]
    places = Image.new("I", size)  # the number of the letter that stands there, from 1
    pixels: Any = places.load()
    for paint in (True, False):
        for number, (text, owner, (x0, y0, x1, y1)) in enumerate(shown, 1):
            there = pixels[(x0 + x1) // 2, (y0 + y1) // 2]
            if there and there != number:
                other_text, other, _ = shown[there - 1]
                if other != owner and other_text != text:
                    beside[owner].add(other)
                    beside[other].add(owner)
            if paint:
                across = (x1 - x0) // 4  # letters of one line may overlap a little
                places.paste(number, (x0 + across, y0, x1 - across, y1))
    groups: list[set[Object]] = [{*owners.values()} - beside.keys()]
    for address, others in beside.items():
        free = next((group for group in groups if not group & others), None)
        if free is None and len(groups) < _MOST_GROUPS:
            free = set()
            groups.append(free)
        if free is not None:
            free.add(address)
    return groups


def _picture(page: PdfPage, width: int, height: int, draw: Draw) -> Image.Image:
    bitmap = draw(page, width, height)
    try:
        return Image.frombytes("L", (bitmap.width, bitmap.height), bitmap.buffer, "raw", "L", bitmap.stride, 1)
    finally:
        bitmap.close()
