"""The area of a page that viewers show: the part of the crop box inside the media box.

A media box without area, or none, counts as Letter; a crop box without area, or outside the media box, as none.
PDFium decides likewise for the pages that are read (`pdfium_file.py`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from pikepdf import Array, Name

if TYPE_CHECKING:
    from pikepdf import Object, Page


class Area(NamedTuple):
    """In the page's units."""

    left: float
    bottom: float
    right: float
    top: float


_LETTER = Area(0, 0, 612, 792)


def shown(page: Page) -> Area:
    media = _media(page)
    crop = _area(_inherited(page.obj, "/CropBox"))
    return (crop and _common(crop, media)) or media


def make_sound(page: Page) -> None:
    """Write boxes that all viewers understand, if the page's own have no area."""
    media, crop = _inherited(page.obj, "/MediaBox"), _inherited(page.obj, "/CropBox")
    area = _media(page)
    if _area(media) is None:
        page.obj[Name.MediaBox] = Array([*area])
    known = _area(crop)
    if crop is not None and (known is None or _common(known, area) is None):
        page.obj[Name.CropBox] = Array([*area])


def _media(page: Page) -> Area:
    return _area(_inherited(page.obj, "/MediaBox")) or _LETTER


def _inherited(node: Object, name: str) -> Object | None:
    for _ in range(50):  # levels of the page tree, which may have a cycle
        if name in node:
            return node[name]
        if "/Parent" not in node:
            break
        node = node["/Parent"]
    return None


def _area(box: Object | None) -> Area | None:
    try:
        x0, y0, x1, y1 = map(float, box)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x0 == x1 or y0 == y1:
        return None
    return Area(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _common(first: Area, second: Area) -> Area | None:
    left, bottom = max(first.left, second.left), max(first.bottom, second.bottom)
    right, top = min(first.right, second.right), min(first.top, second.top)
    return Area(left, bottom, right, top) if left < right and bottom < top else None
