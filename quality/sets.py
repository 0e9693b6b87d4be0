"""The sets of pages: a row for each."""

from __future__ import annotations

from dataclasses import dataclass

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
    resolution,
    skew,
    tables,
    turned,
    upright,
)  # fmt: skip


@dataclass(frozen=True)
class Set:
    """`pages` is the number of pages of a whole run, `short` that of a short one: the seeds count from 0.

    `has_order`: the text has one natural order, so that CER says something.
    """

    title: str
    draw: Draw
    pages: int
    short: int
    has_order: bool = True


SETS = {
    "clean": Set("letters and pages of books, 200 and 300 dpi", clean.draw, 12, 1),
    "columns": Set("two and three columns", columns.draw, 14, 1),
    "forms": Set("filled-in forms", forms.draw, 16, 1),
    "tables": Set("tables of 5 to 8 columns", tables.draw, 16, 1),
    "charts": Set("bar charts with labels", charts.draw, 8, 1, has_order=False),
    "receipts": Set("photographed receipts", receipts.draw, 30, 3),
    "photographs": Set("photographed letters, books and posters", photographs.draw, 24, 2),
    "faint": Set("faint, noisy and dithered scans", faint.draw, 16, 1),
    "resolution": Set("the same pages at 72 to 600 dpi", resolution.draw, 14, 2),
    "languages": Set("five languages of Latin script", languages.draw, 15, 1),
    "skew": Set("pages at -7 to 7 degrees", skew.draw, 22, 2),
    "turned": Set("pages of every kind in four turns", turned.draw, 64, 4, has_order=False),
    "upright": Set("upright pages of every kind, half of them sparse", upright.draw, 200, 4, has_order=False),
}
