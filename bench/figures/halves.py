"""One page on two cores: speed-up of cutting a sheet in two between lines, and whether the text stays the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image

from bench import limit, stats
from model_server.reading.image import PageImage
from tests.pictures import render

if TYPE_CHECKING:
    from bench.run import Run

_SHEETS = 8
_DPI = 200
_COLUMN_DPI = 140  # of a sheet that is used as a column
_DARK = 128
_FROM_THE_MIDDLE = 0.2  # share of the height: a cut farther off makes one part too large


def measure(run: Run) -> dict[str, Any]:
    run.steps("Sheets in halves", 2 * _SHEETS)
    found: dict[str, dict[str, Any]] = {}
    for kind, columns in (("one column", 1), ("two columns", 2)):
        gains, same = [], 0
        for seed in range(1, _SHEETS + 1):
            with run.step(kind):
                sheet = _sheet(seed, columns)
                whole = limit.run([_grey(sheet)], [0], 1)
                halves = limit.run([_grey(half) for half in _cut(sheet)], [0, 1], 2)
                gains.append(whole.wall_seconds / halves.wall_seconds)
                same += _words(whole) == _words(halves)
        found[kind] = {"sheets": _SHEETS, "same_text": same, "times_as_fast": stats.summary(gains)}
    return found


def _sheet(seed: int, columns: int) -> Image.Image:
    """A4 at 200 dpi, or smaller sheets next to each other."""
    if columns == 1:
        return render.a4(seed, dpi=_DPI).image
    parts = [render.a4(seed + 100 * number, dpi=_COLUMN_DPI).image for number in range(columns)]
    sheet = Image.new("L", (sum(part.width for part in parts), parts[0].height), 255)
    for number, part in enumerate(parts):
        sheet.paste(part, (number * part.width, 0))
    return sheet


def _cut(sheet: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Cut at the row without ink nearest to the middle; if there is none, in the middle."""
    inked = sheet.point([255] * _DARK + [0] * (256 - _DARK)).getprojection()[1]
    middle = sheet.height // 2
    rows = sorted(range(sheet.height), key=lambda row: abs(row - middle))
    near = rows[: int(2 * _FROM_THE_MIDDLE * sheet.height)]
    row = next((row for row in near if not any(inked[row - 2 : row + 3])), middle)
    return sheet.crop((0, 0, sheet.width, row)), sheet.crop((0, row, sheet.width, sheet.height))


def _grey(image: Image.Image) -> PageImage:
    return PageImage(image.convert("L").tobytes(), image.width, image.height, _DPI)


def _words(result: limit.Result) -> list[str]:
    return [word for reading in result.readings for word in reading.text.split()]
