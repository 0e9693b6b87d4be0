"""The pictures: a label, a page, a sheet of A4, a receipt and a photograph, each a pure function of its seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from PIL import Image

from . import degrade, text
from .layout import MONO, MONO_BOLD, SANS, SANS_BOLD, SERIF, SERIF_BOLD, Line, draw, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

_POINTS_PER_INCH = 72
_A4_MM = (210, 297)
_A4_POINTS = (595, 842)
_MM_PER_INCH = 25.4
_PHOTO_PIXELS = (3000, 4000)
_DESK_GREY = 120


@dataclass(frozen=True)
class Picture:
    """An image (8-bit grey, but the photograph is RGB), what it says, line by line, and its dots per inch."""

    image: Image.Image
    text: str
    dpi: int


def label(seed: int) -> Picture:
    """A label of 300 x 100 pixels with two or three lines."""
    rng = Random(f"label {seed}")
    heading = text.title(rng, 2)
    rest = [f"Net weight {rng.randrange(20, 1000)} grams", f"Price ${text.price(rng)}"]
    rows = [heading, *rest[: rng.choice((1, 2))]]
    step = 30
    top = (100 - step * len(rows)) / 2
    faces = [SANS_BOLD, SANS, SANS]
    lines = [Line(row, 14, top + step * i, faces[i], 20) for i, row in enumerate(rows)]
    return Picture(draw(lines, (300, 100)), "\n".join(rows), 203)


def page(seed: int) -> Picture:
    """A page of 640 x 480 pixels with nine lines: about 150 ms of work for Tesseract."""
    rng = Random(f"page {seed}")
    rows = wrap(text.paragraph(rng, 14), SANS, 23, 572)[:9]
    lines = [Line(row, 32, 36 + 45 * i, SANS, 23) for i, row in enumerate(rows)]
    return Picture(draw(lines, (640, 480)), "\n".join(rows), 150)


def a4(seed: int, dpi: int = 200) -> Picture:
    """A sheet of A4 with a heading and paragraphs; the text is the same at every `dpi`."""
    rng = Random(f"a4 {seed}")
    margin, size, step = 60, 11, 16
    width, height = _A4_POINTS
    lines = [Line(text.title(rng, 4), margin, margin, SERIF_BOLD, 18)]
    y = margin + 40
    while True:
        rows = wrap(text.paragraph(rng, rng.randrange(4, 8)), SERIF, size, width - 2 * margin)
        if y + step * len(rows) > height - margin:
            break
        lines += [Line(row, margin, y + step * i, SERIF, size) for i, row in enumerate(rows)]
        y += step * len(rows) + step // 2
    pixels = (round(_A4_MM[0] / _MM_PER_INCH * dpi), round(_A4_MM[1] / _MM_PER_INCH * dpi))
    return Picture(draw(lines, pixels, dpi / _POINTS_PER_INCH), _said(lines), dpi)


def receipt(seed: int) -> Picture:
    """A till receipt 576 pixels wide (80 mm of thermal paper): names on the left, prices on the right.

    The prices stand close to the names: Tesseract takes a wider gap, and the column of decimal points, for the
    border of two columns, and reads dot leaders as letters.
    """
    rng = Random(f"receipt {seed}")
    goods = text.goods(rng, rng.randrange(8, 14))
    total = sum(round(float(price) * 100) for _, price in goods) / 100
    rows = [
        (f"{text.title(rng, 1)} Market", MONO_BOLD),
        (f"Date 2025-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}", MONO),
        *((f"{name:<12}{'$' + price:>7}", MONO) for name, price in goods),
        (f"{'TOTAL':<12}{f'${total:.2f}':>7}", MONO_BOLD),
        ("Thank you, come again", MONO),
    ]
    step, size, margin = 48, 36, 60
    lines = [Line(row, margin, margin + step * i, face, size) for i, (row, face) in enumerate(rows)]
    return Picture(draw(lines, (576, 2 * margin + step * len(rows))), _said(lines), 203)


def photo(seed: int) -> Picture:
    """A telephone's photograph of `a4(seed)` on a desk, 3000 x 4000, RGB: askew, badly lit, not quite sharp."""
    sheet = a4(seed, dpi=300)
    desk = Image.new("L", _PHOTO_PIXELS, _DESK_GREY)
    desk.paste(sheet.image, ((desk.width - sheet.image.width) // 2, (desk.height - sheet.image.height) // 2))
    image = degrade.perspective(desk, seed, strength=0.012, fill=_DESK_GREY)
    image = degrade.uneven_light(image, seed, loss=0.3)
    image = degrade.blur(image, seed, radius=1.5)
    image = degrade.noise(image, seed, deviation=8)
    tints = (1.0, 0.97, 0.9)  # a lamp's light
    bands = [image.point([round(level * tint) for level in range(256)]) for tint in tints]
    return Picture(Image.merge("RGB", bands), sheet.text, _POINTS_PER_INCH)


def _said(lines: Sequence[Line]) -> str:
    return "\n".join(line.text for line in lines)
