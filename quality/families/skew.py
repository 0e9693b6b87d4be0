"""Pages laid askew on the scanner, by -7 to 7 degrees."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from quality import scanner
from quality.families.clean import book, letter
from quality.families.columns import columns
from quality.families.tables import table_page
from quality.page import Page, Split, as_png
from quality.writer import Writer
from tests.pictures.render import Picture

DEGREES = (-7, -5, -3, -2, -1, 0, 1, 2, 3, 5, 7)
_LAYOUTS = (letter, columns, table_page, book)


def draw(split: Split, seed: int) -> Page:
    """Consecutive seeds have each angle once; the layouts take turns."""
    writer = Writer(split, "skew", seed)
    degrees = DEGREES[seed % len(DEGREES)]
    picture = _LAYOUTS[seed % len(_LAYOUTS)](writer, 170)
    turned = picture.image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    skewed = scanner.scanned(Picture(turned, picture.text, picture.dpi), writer.rng, skew=0)
    return replace(as_png(skewed), group=f"{abs(degrees)}°")
