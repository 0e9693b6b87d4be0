"""Two and three columns, as in newspapers and reports: headings, a picture with a caption, a footer."""

from __future__ import annotations

import numpy as np
from PIL import Image

from quality import scanner
from quality.page import Page, Split, as_png
from quality.sheet import A4, LETTER, Sheet
from quality.writer import Faces, Writer
from tests.pictures.render import Picture

_GAP = 14.0


def columns(writer: Writer, dpi: int) -> Picture:
    """The text is in the order of the columns: each from its first line to its last."""
    rng = writer.rng
    sheet = Sheet(rng.choice((A4, LETTER)), dpi)
    count = rng.choice((2, 2, 3))
    faces = rng.choice((writer.serif, writer.sans))
    left, size = 46.0, rng.choice((8.5, 9.0, 10.0))
    width = (sheet.width - 2 * left - (count - 1) * _GAP) / count
    sheet.write((left, 62), writer.title(4), faces.bold, 22)
    sheet.write((left, 82), f"By {writer.person()}, {writer.date()}", faces.italic, 9)
    top, bottom = 112.0, sheet.height - 60
    with_picture = rng.randrange(count)
    if ruled := rng.random() < 0.4:
        sheet.rule((left, 92), (sheet.width - left, 92))
    for number in range(count):
        x = left + number * (width + _GAP)
        if number and ruled:
            sheet.rule((x - _GAP / 2, top - size), (x - _GAP / 2, bottom))
        shown = rng.uniform(top, bottom - 260) if number == with_picture else None
        _column(sheet, writer, faces, (x, top), width=width, bottom=bottom, size=size, shown=shown)
    sheet.write((sheet.width / 2, sheet.height - 34), f"Page {rng.randrange(2, 90)}", faces.regular, 8, anchor="m")
    return sheet.picture()


def _column(
    sheet: Sheet,
    writer: Writer,
    faces: Faces,
    at: tuple[float, float],
    *,
    width: float,
    bottom: float,
    size: float,
    shown: float | None,
) -> None:
    """`shown` is the height below which the column's picture comes."""
    x, y = at
    rng = writer.rng
    while y < bottom - 2 * size:
        if shown is not None and y >= shown:
            shown = None
            height = min(width * rng.uniform(0.5, 0.8), bottom - y - 3 * size)
            if height > 3 * size:
                sheet.show(_scene(writer), (x, y - size), (width, height))
                y += height + 0.5 * size
                caption = f"Figure {rng.randrange(1, 9)}: {writer.title(3)}"
                y = sheet.paragraph((x, y), caption, faces.italic, size - 1, width=width, bottom=bottom) + size
        elif rng.random() < 0.3 and y < bottom - 5 * size:
            y += 0.6 * size
            y = sheet.paragraph((x, y), writer.title(3), faces.bold, size + 2, width=width) + 0.2 * size
        text = writer.paragraph(rng.randrange(2, 6))
        y = (
            sheet.paragraph((x, y), text, faces.regular, size, width=width, leading=1.25, bottom=bottom)
            + 0.5 * size
        )


def _scene(writer: Writer) -> Image.Image:
    """Something like a landscape: soft spots of grey."""
    spots = np.random.default_rng(writer.seed()).integers(40, 230, (5, 7), dtype=np.uint8)
    return Image.fromarray(spots).resize((280, 200), Image.Resampling.BICUBIC)


def draw(split: Split, seed: int) -> Page:
    writer = Writer(split, "columns", seed)
    picture = columns(writer, writer.rng.choice((110, 130, 150, 200)))
    return as_png(scanner.scanned(picture, writer.rng, noise=8))
