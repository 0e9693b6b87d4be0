"""The goals of the figures, and whether they are met; and what a short run must not show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quality.score import Figures
from quality.sets import SETS
from quality.subjects import BARE_NEURAL, BASE

_Value = Callable[[Figures], float]
_TURNS = ("90°", "180°", "270°")


@dataclass(frozen=True)
class Goal:
    """`value` raises KeyError for figures that were not measured. `amx`: only with, or only without, AMX."""

    title: str
    value: _Value
    bound: float
    at_least: bool = False
    amx: bool | None = None
    digits: int = 3

    @property
    def demand(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.bound:g}"

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True)
class Verdict:
    """`value` is None if the figure was not measured."""

    goal: Goal
    value: float | None

    @property
    def measured(self) -> str:
        return "not measured" if self.value is None else f"{self.value:.{self.goal.digits}f}"

    @property
    def outcome(self) -> str:
        if self.value is None:
            return ""
        return "met" if self.goal.met(self.value) else "**not met**"


def verdicts(results: dict[str, Any]) -> list[Verdict]:
    """On all goals that hold for this machine."""
    amx = "AMX" in results["abilities"]
    return [
        Verdict(goal, _measured(goal, results["figures"])) for goal in GOALS if goal.amx is None or goal.amx is amx
    ]


def _measured(goal: Goal, found: Figures) -> float | None:
    try:
        return goal.value(found)
    except KeyError:
        return None


def _pool(pool: str, subject: str, figure: str) -> _Value:
    return lambda found: float(found["pools"][pool][subject][figure])


def _set(of: str, subject: str, figure: str) -> _Value:
    return lambda found: float(found["sets"][of][subject][figure])


def _error_ratio(pool: str, subject: str) -> _Value:
    """Error of the subject divided by bare Tesseract's."""

    def value(found: Figures) -> float:
        of = found["pools"][pool]
        return float((1 - of[subject]["f1"]) / max(1 - of[BASE]["f1"], 1e-9))

    return value


def _cpu_ratio(where: str, of: str, subject: str) -> _Value:
    return lambda found: float(found[where][of][subject]["cpu_seconds"] / found[where][of][BASE]["cpu_seconds"])


def _more(of: str, subject: str, figure: str) -> _Value:
    """By how much the subject's figure is above bare Tesseract's."""
    return lambda found: float(found["sets"][of][subject][figure] - found["sets"][of][BASE][figure])


def _worst_turn(subject: str) -> _Value:
    """The largest difference of F1 between a turn and the same pages upright."""

    def value(found: Figures) -> float:
        by_turn = found["groups"]["turned"]
        upright = by_turn["0°"][subject]["f1"]
        return max(abs(float(by_turn[turn][subject]["f1"] - upright)) for turn in _TURNS)

    return value


GOALS = (
    Goal(
        "receipts and photographs, `auto`: error (1 - F1) / bare Tesseract's",
        _error_ratio("photographed", "auto"),
        0.4,
    ),
    Goal("varied pages, `auto`: F1", _pool("varied", "auto", "f1"), 0.975, at_least=True),
    Goal("clean pages, `auto`: CER above bare Tesseract's", _more("clean", "auto", "cer"), 0, digits=4),
    Goal("clean pages, `auto`: CPU / bare Tesseract's", _cpu_ratio("sets", "clean", "auto"), 1.25, digits=2),
    Goal(
        "receipts, photographs and faint pages, `auto`: CPU / bare Tesseract's, with AMX",
        _cpu_ratio("pools", "doubtful", "auto"),
        1.7,
        amx=True,
        digits=2,
    ),
    Goal(
        "receipts, photographs and faint pages, `auto`: CPU / bare Tesseract's, without AMX",
        _cpu_ratio("pools", "doubtful", "auto"),
        2.5,
        amx=False,
        digits=2,
    ),
    Goal(
        "all pages, `neural`: CPU / bare Tesseract's, with AMX",
        _cpu_ratio("pools", "all", "neural"),
        1.6,
        amx=True,
        digits=2,
    ),
    *(
        Goal(f"pages turned by 90, 180, 270, `{name}`: largest difference of F1", _worst_turn(name), 0.01)
        for name in ("auto", "neural")
    ),
    *(
        Goal(f"200 upright pages, `{name}`: turned wrongly", _set("upright", name, "turned_wrongly"), 0, digits=0)
        for name in ("tesseract", "auto", "neural")
    ),
    *(
        Goal(f"{of}, `{name}`: CER above bare Tesseract's", _more(of, name, "cer"), 0, digits=4)
        for of in ("columns", "tables")
        for name in ("auto", "neural")
    ),
)

# What even a few pages must reach, by set: the smallest F1 of bare Tesseract and of the service.
_LEAST_F1 = {"clean": 0.95, "columns": 0.9, "forms": 0.6, "tables": 0.6, "languages": 0.6}
_WORSE_THAN_BASE = 0.05  # F1
_ORDERED = {name for name, pages in SETS.items() if pages.has_order}
_OUT_OF_ORDER = 0.1  # CER above bare Tesseract's


def alarms(found: Figures) -> list[str]:
    """What is badly wrong, in words."""
    said = []
    for of, subjects in found["sets"].items():
        for name, one in subjects.items():
            if name == BARE_NEURAL:
                continue
            if one["f1"] < _LEAST_F1.get(of, 0):
                said.append(f"{of}, {name}: F1 is {one['f1']:.3f}, the least is {_LEAST_F1[of]}")
            if BASE in subjects and one["f1"] < subjects[BASE]["f1"] - _WORSE_THAN_BASE:
                said.append(f"{of}, {name}: F1 is {one['f1']:.3f}, bare Tesseract's {subjects[BASE]['f1']:.3f}")
            if of in _ORDERED and BASE in subjects and one["cer"] > subjects[BASE]["cer"] + _OUT_OF_ORDER:
                said.append(f"{of}, {name}: CER is {one['cer']:.3f}, bare Tesseract's {subjects[BASE]['cer']:.3f}")
            if of == "upright" and one["turned_wrongly"]:
                said.append(f"{name} turned {one['turned_wrongly']} of {one['pages']} upright pages")
    return said
