"""Tables of five to eight columns with many short cells, with and without rules."""

from __future__ import annotations

from quality import scanner, vocabulary
from quality.page import Page, Split, as_png
from quality.sheet import A4, Sheet
from quality.writer import Writer
from tests.pictures.render import Picture

_LEFT = 42.0


def table_page(writer: Writer, dpi: int) -> Picture:
    """A title, one or two tables and a note; the text goes row by row."""
    rng = writer.rng
    sheet = Sheet(A4 if rng.random() < 0.6 else (A4[1], A4[0]), dpi)
    sheet.write((_LEFT, 56), writer.title(4), writer.sans.bold, 15)
    y = sheet.paragraph((_LEFT, 78), writer.paragraph(2), writer.serif.regular, 10, width=sheet.width - 2 * _LEFT)
    for number in range(1, 3):
        room = int((sheet.height - y - 110) / 17)
        if room < 6:
            break
        sheet.write((_LEFT, y + 14), f"Table {number}: {writer.title(3)}", writer.sans.bold, 9.5)
        y = _table(sheet, writer, y + 36, rows=rng.randrange(5, min(room, 22)))
    sheet.write((_LEFT, y + 10), f"Source: {writer.company()}, {writer.date()}", writer.sans.italic, 8)
    return sheet.picture()


def _table(sheet: Sheet, writer: Writer, y: float, rows: int) -> float:
    rng = writer.rng
    count = rng.randrange(5, 9)
    first = 105.0
    width = (sheet.width - 2 * _LEFT - first) / (count - 1)
    edges = [_LEFT, *(_LEFT + first + number * width for number in range(count))]
    ruled, shaded = rng.choice((True, True, False)), rng.random() < 0.3
    face = rng.choice((writer.sans, writer.serif, writer.mono))
    size = rng.choice((7.0, 8.0, 9.0)) if face is not writer.mono else 7.0
    step = size * rng.uniform(1.35, 1.9)
    dark = ruled and rng.random() < 0.4
    kinds = [rng.choice((_count, _money, _percent, _code, _count)) for _ in edges[1:]]
    top = y - step + 4
    if dark:
        sheet.box((edges[0], top), (edges[-1], top + step), fill=70, width=0)
    heads = [writer.title(1), *writer.sample(vocabulary.COLUMN_HEADS, count - 1)]
    _row(sheet, heads, edges, y, face.bold, size, ink=255 if dark else 0)
    for number in range(rows):
        y += step
        if shaded and number % 2:
            sheet.box((edges[0], y - step + 4), (edges[-1], y + 4), fill=225, width=0)
        cells = [writer.title(rng.choice((1, 1, 2))), *(kind(writer) for kind in kinds[: count - 1])]
        _row(sheet, cells, edges, y, face.regular, size)
        if ruled:
            sheet.rule((edges[0], y - step + 4), (edges[-1], y - step + 4), width=0.5)
    if ruled:
        sheet.box((edges[0], top), (edges[-1], y + 4), width=0.8)
        for x in edges[1:-1]:
            sheet.rule((x, top), (x, y + 4), width=0.5)
    else:
        sheet.rule((edges[0], top + step), (edges[-1], top + step), width=0.8)
    return y + step


def _row(
    sheet: Sheet, cells: list[str], edges: list[float], y: float, face: str, size: float, ink: int = 0
) -> None:
    """The first cell begins at the left of its column, the others end at the right of theirs."""
    sheet.write((edges[0] + 3, y), cells[0], face, size, ink=ink)
    for right, cell in zip(edges[2:], cells[1:], strict=True):
        sheet.write((right - 4, y), cell, face, size, anchor="r", ink=ink)


def _count(writer: Writer) -> str:
    return f"{writer.rng.randrange(1, 20_000):,}" if writer.rng.random() < 0.9 else "0"


def _money(writer: Writer) -> str:
    return f"{writer.rng.randrange(100, 500_000) / 100:.2f}"


def _percent(writer: Writer) -> str:
    return f"{writer.rng.uniform(-20, 99):.1f}%"


def _code(writer: Writer) -> str:
    return f"{writer.rng.choice('ABCDEHKLMPRT')}{writer.rng.randrange(10, 100)}"


def draw(split: Split, seed: int) -> Page:
    writer = Writer(split, "tables", seed)
    picture = table_page(writer, writer.rng.choice((100, 120, 150, 200)))
    return as_png(scanner.scanned(picture, writer.rng, noise=8))
