"""Till receipts on thermal paper, photographed on a desk."""

from __future__ import annotations

import math
from dataclasses import replace

from PIL import Image

from quality import scanner, vocabulary
from quality.camera import Hardship, photograph
from quality.page import Page, Split
from quality.sheet import Sheet
from quality.writer import Writer
from tests.pictures.render import Picture

_WIDTH = 226.0  # 80 mm
_HARD = Hardship(
    size=1600, margin=0.04, tilt=2.5, perspective=0.012, waves=0.002, light=0.25, shadow=0.2, creases=5, blur=0.8,
    motion=1, noise=6,
)  # fmt: skip


def receipt(writer: Writer, dpi: int) -> Picture:
    """Names on the left, prices on the right, in a narrow or fixed-width face; line by line."""
    rng = writer.rng
    items = rng.randrange(4, 16)
    sheet = Sheet((_WIDTH, 250 + 2 * 12.5 * items), dpi)
    body = rng.choice((writer.mono.bold, writer.mono.regular, writer.sans.regular, writer.sans.bold))
    stretch = rng.uniform(0.7, 0.95)
    size = rng.choice((8.5, 9.5, 10.5))
    step, y = size * rng.uniform(1.15, 1.4), 28.0

    def middle(text: str, face: str, points: float) -> None:
        nonlocal y
        sheet.write((_WIDTH / 2, y), text, face, points, anchor="m", stretch=stretch)
        y += step * points / size

    def pair(name: str, amount: str, face: str = body) -> None:
        nonlocal y
        sheet.write((14, y), name, face, size, stretch=stretch)
        sheet.write((_WIDTH - 14, y), amount, face, size, anchor="r", stretch=stretch)
        y += step

    def dashes() -> None:
        nonlocal y
        for x in range(14, int(_WIDTH) - 16, 6):
            sheet.rule((x, y - 4), (x + 3, y - 4), width=0.8)
        y += 0.8 * step

    middle(writer.company().upper(), writer.sans.bold, size + 5)
    for line in (writer.street(), writer.town(), f"Tel: {writer.phone()}"):
        middle(line, body, size)
    y += 4
    pair(f"Receipt #{rng.randrange(1000, 99999)}", f"{writer.date()}")
    pair(f"Cashier: {writer.pick(vocabulary.FIRST_NAMES)}", f"{rng.randrange(8, 21)}:{rng.randrange(60):02}")
    dashes()
    total = 0
    for _ in range(items):
        cents = rng.randrange(49, 9999)
        count = rng.choice((1, 1, 1, 2, 3))
        name = f"{writer.pick(vocabulary.GOODS)} {rng.choice(('250g', '1kg', '500ml', 'XL', 'x6', ''))}".strip()
        pair(rng.choice((name, name.upper())), f"{cents * count / 100:.2f}")
        if count > 1:
            sheet.write((26, y), f"{count} @ {cents / 100:.2f}", body, size, stretch=stretch)
            y += step
        total += cents * count
    dashes()
    pair("SUBTOTAL", f"{total / 100:.2f}")
    pair(f"TAX {rng.choice((5, 7, 10, 19))}%", f"{total * 0.07 / 100:.2f}")
    pair("TOTAL", f"${total * 1.07 / 100:.2f}", writer.sans.bold)
    pair(rng.choice(("CASH", "VISA ****" + str(rng.randrange(1000, 9999)))), f"{math.ceil(total / 90)}.00")
    y += 6
    for line in writer.sample(vocabulary.THANKS, 2):
        middle(line, body, size)
    whole = sheet.picture()
    cut = whole.image.crop((0, 0, whole.image.width, round((y + 10) * dpi / 72)))
    return Picture(cut, whole.text, dpi)


def thermal(picture: Picture, writer: Writer) -> Picture:
    """Printed in dots, pale, with streaks."""
    rng = writer.rng
    image = picture.image
    if rng.random() < 0.5:
        dots = image.resize(
            (round(image.width * 203 / picture.dpi / 1.4), round(image.height * 203 / picture.dpi / 1.4))
        )
        image = dots.point([0] * 150 + [255] * 106).resize(image.size, Image.Resampling.BILINEAR)
    image = scanner.worn(image, rng, rng.uniform(0, 0.4))
    return scanner.with_image(picture, scanner.faded(image, rng.randrange(40, 115), rng.randrange(205, 240)))


def draw(split: Split, seed: int) -> Page:
    writer = Writer(split, "receipts", seed)
    paper = thermal(receipt(writer, 300), writer)
    hard = replace(_HARD, size=writer.rng.randrange(1300, 1900))
    return photograph(paper, writer.rng, hard)
