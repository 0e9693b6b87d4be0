"""Scans that are hard to read: faint print, noise, dots of a fax, the other side of thin paper."""

from __future__ import annotations

from dataclasses import replace

from quality import scanner
from quality.families.clean import book, letter
from quality.families.tables import table_page
from quality.page import Page, Split, as_png
from quality.writer import Writer
from tests.pictures import degrade
from tests.pictures.render import Picture


def faint(picture: Picture, writer: Writer) -> Picture:
    """Grey ink on grey paper, with streaks and grain."""
    rng = writer.rng
    image = scanner.faded(scanner.worn(picture.image, rng, 0.6), rng.randrange(95, 150), rng.randrange(215, 245))
    return scanner.with_image(picture, degrade.noise(image, writer.seed(), deviation=rng.uniform(5, 10)))


def noisy(picture: Picture, writer: Writer) -> Picture:
    """Strong grain and dust."""
    rng = writer.rng
    image = degrade.blur(scanner.faded(picture.image, 60, 225), writer.seed(), radius=0.8)
    image = degrade.noise(image, writer.seed(), deviation=rng.uniform(15, 30))
    return scanner.with_image(picture, scanner.speckled(image, rng, rng.uniform(0.001, 0.006)))


def faxed(picture: Picture, writer: Writer) -> Picture:
    """Pale print as black and white dots."""
    rng = writer.rng
    image = scanner.faded(picture.image, rng.randrange(40, 100), rng.randrange(215, 245))
    return scanner.with_image(picture, scanner.dithered(degrade.noise(image, writer.seed(), deviation=12)))


def thin_paper(picture: Picture, writer: Writer) -> Picture:
    """The other side shows through."""
    rng = writer.rng
    other = letter(Writer(writer.split, "other side", rng.randrange(10**6)), 100).image
    image = scanner.with_other_side(scanner.faded(picture.image, 50, 235), other, rng.uniform(0.15, 0.35))
    return scanner.with_image(picture, degrade.noise(image, writer.seed(), deviation=8))


_KINDS = {"faint": faint, "noisy": noisy, "dithered": faxed, "other side": thin_paper}


def draw(split: Split, seed: int) -> Page:
    writer = Writer(split, "faint", seed)
    kind = list(_KINDS)[seed % len(_KINDS)]
    layout = (letter, book, table_page)[seed // len(_KINDS) % 3]
    picture = layout(writer, writer.rng.choice((150, 200)))
    return replace(as_png(_KINDS[kind](picture, writer)), group=kind)
