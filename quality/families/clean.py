"""Letters and pages of books, as printed."""

from __future__ import annotations

from dataclasses import replace

from quality.page import Page, Split, as_png
from quality.sheet import A4, LETTER, Sheet
from quality.writer import Writer
from tests.pictures.render import Picture

_BOOK = (432.0, 648.0)  # 6 x 9 inches


def letter(writer: Writer, dpi: int) -> Picture:
    """A business letter of one page."""
    rng = writer.rng
    sheet = Sheet(rng.choice((A4, LETTER)), dpi)
    regular, bold, _ = rng.choice((writer.serif, writer.sans))
    left, right, size = 64, sheet.width - 64, rng.choice((10.0, 11.0, 12.0))
    sheet.write((left, 60), writer.company(), bold, 15)
    sheet.write((left, 76), f"{writer.street()}, {writer.town()}", regular, 9)
    y = 120.0
    for line in (writer.person(), writer.street(), writer.town()):
        sheet.write((left, y), line, regular, size)
        y += 1.3 * size
    sheet.write((right, y), writer.date(), regular, size, anchor="r")
    y += 2.6 * size
    sheet.write((left, y), f"Your order {writer.code()} of {writer.date()}", bold, size)
    y += 2 * size
    bottom = sheet.height - 130
    for _ in range(rng.randrange(2, 6)):
        if y > bottom - 2 * size:
            break
        text = writer.paragraph(rng.randrange(3, 7))
        y = sheet.paragraph((left, y), text, regular, size, width=right - left, bottom=bottom) + 0.6 * size
    sheet.write((left, y + size), "Yours sincerely,", regular, size)
    sheet.write((left, y + 4 * size), writer.person(), regular, size)
    sheet.write((sheet.width / 2, sheet.height - 40), f"Telephone {writer.phone()}", regular, 8, anchor="m")
    return sheet.picture()


def book(writer: Writer, dpi: int) -> Picture:
    """A page of a book: a running title, paragraphs, sometimes a chapter's heading, the number of the page."""
    rng = writer.rng
    sheet = Sheet(_BOOK, dpi)
    regular, bold, italic = writer.serif
    left, right, size = 50, sheet.width - 50, rng.choice((9.5, 10.5, 11.5))
    sheet.write((sheet.width / 2, 42), writer.title(3), italic, size - 1, anchor="m")
    y = 76.0
    if rng.random() < 0.4:
        sheet.write((left, y + 20), writer.title(2), bold, 16)
        y += 52
    bottom = sheet.height - 70
    while y < bottom - size:
        text = writer.paragraph(rng.randrange(3, 8))
        y = sheet.paragraph((left, y), text, regular, size, width=right - left, bottom=bottom) + 0.4 * size
    sheet.write((sheet.width / 2, sheet.height - 40), str(rng.randrange(10, 400)), regular, size, anchor="m")
    return sheet.picture()


def draw(split: Split, seed: int) -> Page:
    writer = Writer(split, "clean", seed)
    layout = (letter, book)[seed % 2]
    dpi = (300, 200)[seed // 2 % 2]
    return replace(as_png(layout(writer, dpi)), group=f"{dpi} dpi")
