"""Pages of every kind in four turns, so that the readings of a page can be compared with each other."""

from __future__ import annotations

import io
from dataclasses import replace

from PIL import Image

from quality.families import Draw, charts, clean, columns, faint, forms, photographs, receipts, tables
from quality.page import Page, Split, as_jpeg, as_png
from tests.pictures.render import Picture

ROTATIONS = (0, 90, 180, 270)
_KINDS: tuple[Draw, ...] = (
    clean.draw, columns.draw, forms.draw, tables.draw, charts.draw, receipts.draw, photographs.draw, faint.draw,
)  # fmt: skip
_OTHER_SEEDS = 10_000  # so that the pages are not those of the other sets
_JPEG_QUALITY = 92


def draw(split: Split, seed: int) -> Page:
    """Four consecutive seeds are the four turns of one page."""
    base, at = divmod(seed, len(ROTATIONS))
    upright = _KINDS[base % len(_KINDS)](split, _OTHER_SEEDS + base // len(_KINDS))
    rotation = ROTATIONS[at]
    with Image.open(io.BytesIO(upright.file)) as image:
        image.load()
        dpi = round(image.info.get("dpi", (0, 0))[0])
        picture = Picture(image.copy(), upright.text, dpi)
        photo = image.format == "JPEG"
    page = as_jpeg(picture, _JPEG_QUALITY, rotation) if photo else as_png(picture, rotation)
    return replace(page, group=f"{rotation}°")
