"""Filled-in forms: boxes and lines with labels and values, check boxes, small print, white text on dark bars."""

from __future__ import annotations

from quality import scanner, vocabulary
from quality.page import Page, Split, as_png
from quality.sheet import A4, LETTER, Sheet, width_of
from quality.writer import Writer
from tests.pictures.render import Picture

_LEFT = 40.0


def form(writer: Writer, dpi: int) -> Picture:
    """Sections of boxed or underlined fields and of check boxes; the text goes row by row."""
    rng = writer.rng
    sheet = Sheet(rng.choice((A4, LETTER)), dpi)
    sheet.write((_LEFT, 54), f"{writer.title(2)} Form", writer.sans.bold, 17)
    sheet.write((sheet.width - _LEFT, 54), f"No. {writer.code()}", writer.mono.regular, 11, anchor="r")
    sheet.paragraph((_LEFT, 72), writer.sentence(), writer.sans.regular, 7.5, width=sheet.width - 2 * _LEFT)
    y = 104.0
    sections = [_boxes, _underlines, _checks, _boxes, _underlines]
    rng.shuffle(sections)
    for number, section in enumerate(sections, 1):
        dark = rng.random() < 0.5
        sheet.box((_LEFT, y - 12), (sheet.width - _LEFT, y + 4), fill=60 if dark else 215, width=0)
        heading = f"{number}. {writer.title(2)}"
        sheet.write((_LEFT + 5, y), heading, writer.sans.bold, 10, ink=255 if dark else 0)
        y = section(sheet, writer, y + 20) + 16
        if y > sheet.height - 190:
            break
    _signature(sheet, writer, min(y + 24, sheet.height - 60))
    return sheet.picture()


def _values(writer: Writer) -> tuple[str, str]:
    """A label and a value for it."""
    label = writer.pick(vocabulary.FIELDS)
    return label, writer.rng.choice(
        (
            writer.person(),
            writer.date(),
            writer.code(),
            writer.amount(),
            writer.phone(),
            writer.town(),
            writer.street(),
        )
    )


def _boxes(sheet: Sheet, writer: Writer, y: float) -> float:
    """Boxes with a small label in the upper left corner and the value below it."""
    rng = writer.rng
    for _ in range(rng.randrange(2, 5)):
        count = rng.choice((2, 3, 4))
        width = (sheet.width - 2 * _LEFT) / count
        for number in range(count):
            x = _LEFT + number * width
            shade = rng.choice((255, 255, 255, 225))
            sheet.box((x, y - 12), (x + width, y + 16), fill=shade)
            label, value = _values(writer)
            sheet.write((x + 3, y - 4), label, writer.sans.regular, 6.5)
            face = rng.choice((writer.mono.regular, writer.sans.regular, writer.mono.bold))
            size = min(10.5, 10.5 * (width - 8) / width_of(value, face, 10.5))
            sheet.write((x + 4, y + rng.uniform(8, 13)), value, face, size)
        y += 28
    return y


def _underlines(sheet: Sheet, writer: Writer, y: float) -> float:
    """Labels with a line for the value; the values sometimes touch the line."""
    rng = writer.rng
    width = (sheet.width - 2 * _LEFT) / 2
    for _ in range(rng.randrange(2, 5)):
        for x in (_LEFT, _LEFT + width):
            label, value = _values(writer)
            sheet.write((x, y), f"{label}:", writer.sans.regular, 9)
            begin = x + width_of(f"{label}:", writer.sans.regular, 9) + 6
            sheet.rule((begin, y + 2), (x + width - 10, y + 2))
            face = rng.choice((writer.mono.regular, writer.serif.italic))
            size = min(11, 11 * (x + width - 14 - begin) / width_of(value, face, 11))
            sheet.write((begin + 4, y + rng.uniform(-1, 1.5)), value, face, size)
        y += 24
    return y


def _checks(sheet: Sheet, writer: Writer, y: float) -> float:
    """Check boxes, some of them crossed; the crosses are no text."""
    rng = writer.rng
    for _ in range(rng.randrange(2, 4)):
        sheet.write((_LEFT, y), f"{writer.title(2)}:", writer.sans.regular, 9)
        for number in range(3):
            x = _LEFT + 150 + number * 125
            sheet.box((x, y - 8), (x + 9, y + 1), width=0.8)
            if rng.random() < 0.4:
                sheet.rule((x, y - 8), (x + 9, y + 1), width=1.2)
                sheet.rule((x, y + 1), (x + 9, y - 8), width=1.2)
            sheet.write((x + 14, y), writer.title(1), writer.sans.regular, 9)
        y += 20
    return y


def _signature(sheet: Sheet, writer: Writer, y: float) -> None:
    for x, label, value in ((_LEFT, "Date", writer.date()), (sheet.width / 2, "Signature", writer.person())):
        sheet.write((x + 10, y), value, writer.serif.italic, 13)
        sheet.rule((x, y + 3), (x + 200, y + 3))
        sheet.write((x, y + 13), label, writer.sans.regular, 7)


def draw(split: Split, seed: int) -> Page:
    writer = Writer(split, "forms", seed)
    picture = form(writer, writer.rng.choice((100, 120, 150, 200)))
    return as_png(scanner.scanned(picture, writer.rng, noise=12, skew=0.8))
