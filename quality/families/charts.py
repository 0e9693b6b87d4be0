"""Pages with a bar chart: labels at both axes, values above the bars, a legend, a caption, and a paragraph."""

from __future__ import annotations

from quality import scanner, vocabulary
from quality.page import Page, Split, as_png
from quality.sheet import A4, Sheet, width_of
from quality.writer import Writer
from tests.pictures.render import Picture


def chart_page(writer: Writer, dpi: int) -> Picture:
    """In this order: title, legend, values from left to right, scale from the top, names, caption, paragraphs."""
    rng = writer.rng
    sheet = Sheet(A4, dpi)
    sans = writer.sans
    sheet.write((60, 60), writer.title(3), sans.bold, 17)
    left, right, top, bottom = 100.0, 540.0, 130.0, rng.uniform(340, 440)
    shades = rng.sample((70, 120, 160, 200), 2)
    series = rng.choice((1, 2))
    for number in range(series):
        x = left + number * 150
        sheet.box((x, 88), (x + 10, 98), fill=shades[number])
        sheet.write((x + 15, 97), writer.title(2), sans.regular, 9)
    names = writer.sample(vocabulary.TOWNS, rng.randrange(4, 8))
    peak = rng.choice((40, 80, 200, 1000))
    step = (right - left) / len(names)
    for at in range(len(names)):
        for number in range(series):
            value = rng.uniform(0.1, 0.95)
            wide = 0.8 * step / series
            x = left + at * step + 0.1 * step + number * wide
            y = bottom - value * (bottom - top)
            sheet.box((x, y), (x + wide, bottom), fill=shades[number])
            sheet.write((x + wide / 2, y - 3), str(round(value * peak)), sans.regular, 8, anchor="m")
    for mark in range(4, -1, -1):
        y = bottom - mark / 4 * (bottom - top)
        sheet.rule((left - 4, y), (left, y))
        sheet.write((left - 7, y + 3), str(mark * peak // 4), sans.regular, 8, anchor="r")
    sheet.rule((left, top), (left, bottom))
    sheet.rule((left, bottom), (right, bottom))
    size = min(9.0, *(9 * 0.95 * step / width_of(name, sans.regular, 9) for name in names))
    for at, name in enumerate(names):
        sheet.write((left + (at + 0.5) * step, bottom + 13), name, sans.regular, size, anchor="m")
    sheet.write((60, bottom + 40), f"Figure {rng.randrange(1, 20)}. {writer.sentence()}", sans.italic, 9)
    y = bottom + 70
    for _ in range(rng.randrange(1, 4)):
        text = writer.paragraph(rng.randrange(3, 6))
        y = sheet.paragraph((60, y), text, writer.serif.regular, 11, width=475, bottom=780) + 8
    return sheet.picture()


def draw(split: Split, seed: int) -> Page:
    writer = Writer(split, "charts", seed)
    picture = chart_page(writer, writer.rng.choice((130, 150, 200)))
    return as_png(scanner.scanned(picture, writer.rng, noise=8))
