"""Letters, pages of books and posters, photographed with a telephone."""

from __future__ import annotations

from quality import vocabulary
from quality.camera import Hardship, photograph
from quality.families.clean import book, letter
from quality.page import Page, Split
from quality.sheet import A4, Sheet
from quality.writer import Writer
from tests.pictures.render import Picture

_HARD = Hardship(
    size=2300, tilt=3, perspective=0.025, waves=0.003, light=0.45, shadow=0.5, blur=1.6, motion=3, noise=13,
    quality=(40, 75),
)  # fmt: skip


def poster(writer: Writer, dpi: int) -> Picture:
    """Few words in many sizes, dark on light and light on dark."""
    rng = writer.rng
    sheet = Sheet(A4, dpi, paper=rng.randrange(200, 256))
    sans = writer.sans
    middle = sheet.width / 2
    sheet.box((0, 0), (sheet.width, 150), fill=rng.randrange(20, 90), width=0)
    sheet.write((middle, 70), writer.title(2), sans.bold, 38, ink=250, anchor="m", stretch=0.9)
    sheet.write((middle, 120), writer.title(3), sans.regular, 22, ink=240, anchor="m")
    y = 210.0
    for _ in range(rng.randrange(4, 8)):
        sheet.write((60, y), f"{writer.date()}  {writer.title(2)}", sans.bold, 18)
        y = sheet.paragraph((60, y + 20), writer.sentence(), sans.regular, 13, width=470) + 22
    sheet.write((middle, y + 20), f"Tickets {writer.amount()} at {writer.company()}", sans.bold, 20, anchor="m")
    sheet.write((middle, 810), f"{writer.street()}, {writer.pick(vocabulary.TOWNS)}", sans.regular, 12, anchor="m")
    return sheet.picture()


def draw(split: Split, seed: int) -> Page:
    writer = Writer(split, "photographs", seed)
    return photograph((letter, book, poster)[seed % 3](writer, 250), writer.rng, _HARD)
