"""Upright pages of all kinds, also those that are easily taken for turned ones: none of them may be turned."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from quality import scanner, vocabulary
from quality.families import (
    Draw,
    charts,
    clean,
    columns,
    faint,
    forms,
    languages,
    photographs,
    receipts,
    skew,
    tables,
)  # fmt: skip
from quality.page import Page, Split, as_png
from quality.sheet import A4, Sheet
from quality.writer import Writer
from tests.pictures.render import Picture

_OTHER_SEEDS = 20_000
_MOST_PIXELS = 1_600_000  # the set counts turns: smaller pages than those of the other sets are enough


def title_page(writer: Writer) -> Picture:
    sheet = Sheet(A4, 120)
    faces = writer.rng.choice((writer.serif, writer.sans))
    sheet.write((sheet.width / 2, writer.rng.uniform(180, 400)), writer.title(2), faces.bold, 30, anchor="m")
    if writer.rng.random() < 0.7:
        sheet.write((sheet.width / 2, 480), f"by {writer.person()}", faces.regular, 16, anchor="m")
    return sheet.picture()


def large_picture(writer: Writer) -> Picture:
    """A photograph over most of the page, with a caption."""
    sheet = Sheet(A4, 120)
    generator = np.random.default_rng(writer.seed())
    spots = generator.integers(20, 240, (generator.integers(4, 30), generator.integers(4, 20)), dtype=np.uint8)
    scene = Image.fromarray(spots).resize((600, 800), Image.Resampling.BICUBIC)
    sheet.show(scene, (60, 60), (475, writer.rng.uniform(450, 640)))
    sheet.write((60, 730), f"Figure {writer.rng.randrange(1, 30)}: {writer.title(5)}", writer.serif.italic, 11)
    return sheet.picture()


def label(writer: Writer) -> Picture:
    sheet = Sheet((170, 70), 203)
    sheet.write((8, 22), writer.company(), writer.sans.bold, 13)
    sheet.write((8, 42), f"{writer.pick(vocabulary.GOODS)} {writer.code()}", writer.sans.regular, 11)
    sheet.write((8, 60), f"{writer.date()}  {writer.amount()}", writer.mono.regular, 9)
    return sheet.picture()


def nearly_empty(writer: Writer) -> Picture:
    """A few words somewhere on the page."""
    sheet = Sheet(A4, 120)
    for _ in range(writer.rng.randrange(1, 3)):
        at = (writer.rng.uniform(50, 350), writer.rng.uniform(80, 780))
        sheet.write(
            at, writer.title(writer.rng.randrange(1, 4)), writer.serif.regular, writer.rng.choice((10, 14))
        )
    return sheet.picture()


def vertical_text(writer: Writer) -> Picture:
    """Few horizontal lines, and long lines that run upwards in the margin."""
    sheet = Sheet(A4, 120)
    y = 120.0
    for _ in range(writer.rng.randrange(2, 5)):
        text = writer.paragraph(writer.rng.randrange(1, 4))
        y = sheet.paragraph((120, y), text, writer.serif.regular, 11, width=400) + 12
    for number in range(writer.rng.randrange(1, 4)):
        sheet.write((40 + 22 * number, 780), writer.paragraph(3)[:100], writer.sans.regular, 11, turned=True)
    return sheet.picture()


def stub(writer: Writer) -> Picture:
    """The end of a receipt: a few short lines."""
    whole = receipts.receipt(writer, 150)
    rows = whole.text.split("\n")
    top = writer.rng.uniform(0.5, 0.7)
    image = whole.image.crop((0, round(top * whole.image.height), *whole.image.size))
    return Picture(image, "\n".join(rows[round(top * len(rows)) :]), whole.dpi)


_SPARSE = (title_page, large_picture, label, nearly_empty, vertical_text, stub)
_FULL: tuple[Draw, ...] = (
    clean.draw, columns.draw, forms.draw, tables.draw, charts.draw, receipts.draw, photographs.draw, faint.draw,
    skew.draw, languages.draw,
)  # fmt: skip


def draw(split: Split, seed: int) -> Page:
    """Every other page is sparse."""
    at, full = divmod(seed, 2)
    if full:
        return _smaller(_FULL[at % len(_FULL)](split, _OTHER_SEEDS + at // len(_FULL)))
    writer = Writer(split, "upright", seed)
    picture = _SPARSE[at % len(_SPARSE)](writer)
    page = as_png(scanner.scanned(picture, writer.rng, skew=0.6))
    return replace(page, group="sparse")


def _smaller(page: Page) -> Page:
    with Image.open(io.BytesIO(page.file)) as image:
        share = min(1.0, (_MOST_PIXELS / (image.width * image.height)) ** 0.5)
        size = (round(image.width * share), round(image.height * share))
        dpi = round(image.info.get("dpi", (0, 0))[0] * share)
        small = image.convert("L").resize(size, Image.Resampling.LANCZOS)
    return replace(as_png(Picture(small, page.text, dpi)), language=page.language, group="full")
