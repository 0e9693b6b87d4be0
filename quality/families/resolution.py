"""The same letters and tables at 72 to 600 dots per inch."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from quality.families.clean import letter
from quality.families.tables import table_page
from quality.page import Page, Split, as_png
from quality.writer import Writer
from tests.pictures.render import Picture

RESOLUTIONS = (72, 100, 150, 200, 300, 400, 600)


def draw(split: Split, seed: int) -> Page:
    """Consecutive seeds are the same text at each resolution."""
    text, at = divmod(seed, len(RESOLUTIONS))
    dpi = RESOLUTIONS[at]
    large = (letter, table_page)[text % 2](Writer(split, "resolution", text), 600)
    size = (round(large.image.width * dpi / 600), round(large.image.height * dpi / 600))
    image = large.image.resize(size, Image.Resampling.BOX) if dpi < 600 else large.image
    return replace(as_png(Picture(image, large.text, dpi)), group=f"{dpi} dpi")
