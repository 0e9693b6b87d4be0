"""Writes docs/quality.md: the part between the markers, from the results only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.report import replace_between, table
from quality.goals import verdicts
from quality.score import POOLS, Figures
from quality.sets import SETS
from quality.subjects import BASE, SUBJECTS

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "quality.md"
BEGIN, END = "<!-- quality: begin -->", "<!-- quality: end -->"
_GROUPED = {
    "resolution": "By resolution",
    "skew": "By angle",
    "turned": "By turn",
    "languages": "By language",
    "faint": "By kind of faint page",
}

Results = dict[str, Any]
_Cell = Callable[[Figures, Figures | None], str]


def write(results: Results, document: Path = DOCUMENT) -> None:
    """Replace the text between the markers."""
    replace_between(BEGIN, END, markdown(results), document)


def markdown(results: Results) -> str:
    found = results["figures"]
    rows = found["sets"] | {name: of for name, of in found["pools"].items() if name != "all"}
    ordered = {name: of for name, of in rows.items() if name not in SETS or SETS[name].has_order}
    parts = [_origin(results), "## Goals", goals(results)]
    parts += ["## F1", "Bag of words, the mean of the pages.", _table(rows, _f1)]
    parts += ["## CER in reading order", "The mean of the pages.", _table(ordered, _cer)]
    parts += [
        "## CPU seconds per page",
        "In brackets: divided by bare Tesseract's for the same pages.",
        _table(rows, _cpu),
    ]
    parts += ["## Share of lines read again", _table(rows, _again)]
    turns = {name: of for name, of in rows.items() if name in ("turned", "upright")}
    if turns:
        parts += ["## Pages turned wrongly", _table(turns, _wrongly)]
    for name, title in _GROUPED.items():
        if name in found["groups"]:
            parts += [f"## {title}: F1", _table(found["groups"][name], _f1)]
    return "\n\n".join(parts) + "\n"


def goals(results: Results) -> str:
    return table(
        ("figure", "goal", "measured", ""),
        ((one.goal.title, one.goal.demand, one.measured, one.outcome) for one in verdicts(results)),
    )


def plain(results: Results) -> str:
    """For the terminal: F1, CER and CPU of all sets."""
    found = results["figures"]
    rows = found["sets"] | {name: of for name, of in found["pools"].items() if name != "all"}

    def cell(one: Figures, base: Figures | None) -> str:
        again = "" if one["read_again"] is None else f", again {one['read_again']:.0%}"
        wrong = f", turned wrongly {one['turned_wrongly']}" if one["turned_wrongly"] else ""
        return f"F1 {one['f1']:.3f}, CER {one['cer']:.3f}, {_cpu(one, base)} s{again}{wrong}"

    return _table(rows, cell)


def _origin(results: Results) -> str:
    machine, settings = results["machine"], results["settings"]
    abilities = ", ".join(results["abilities"]) or "none of AMX, AVX-512, AVX2"
    return (
        f"Measured on {results['date']} at commit `{results['commit']}`: {machine['cpu']} ({abilities}), "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}; "
        f"{settings['lanes']} pages at a time, {results['seconds'] / 60:.0f} minutes."
    )


def _table(rows: dict[str, Figures], cell: _Cell) -> str:
    measured = {name for of in rows.values() for name in of}
    subjects = [name for name in SUBJECTS if name in measured]
    body = []
    for name, of in rows.items():
        pages = max(one["pages"] for one in of.values())
        cells = (cell(of[subject], of.get(BASE)) if subject in of else "" for subject in subjects)
        body.append((_titled(name), str(pages), *cells))
    return table(("", "pages", *(SUBJECTS[name].title for name in subjects)), body)


def _titled(name: str) -> str:
    if name in POOLS:
        return f"**{name}**: {', '.join(POOLS[name])}"
    return f"{name}: {SETS[name].title}" if name in SETS else name


def _f1(one: Figures, _: Figures | None) -> str:
    return f"{one['f1']:.3f}"


def _cer(one: Figures, _: Figures | None) -> str:
    return f"{one['cer']:.4f}"


def _cpu(one: Figures, base: Figures | None) -> str:
    seconds = f"{one['cpu_seconds']:.2f}"
    return f"{seconds} ({one['cpu_seconds'] / base['cpu_seconds']:.2f})" if base else seconds


def _again(one: Figures, _: Figures | None) -> str:
    return "" if one["read_again"] is None else f"{one['read_again']:.0%}"


def _wrongly(one: Figures, _: Figures | None) -> str:
    return str(one["turned_wrongly"])
