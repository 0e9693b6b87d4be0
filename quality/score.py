"""The figures of a page, and of many pages together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

Figures = dict[str, Any]

# Sets that are also looked at together.
POOLS = {
    "varied": ("columns", "forms", "tables", "charts"),
    "photographed": ("receipts", "photographs"),
    "doubtful": ("receipts", "photographs", "faint"),
}


@dataclass(frozen=True)
class Score:
    """One reading of one page. `of` is the set."""

    of: str
    number: int
    group: str
    subject: str
    f1: float
    cer: float
    cpu_seconds: float
    turned_wrongly: bool
    read_again: float | None


def figures(scores: Sequence[Score]) -> Figures:
    """By set, by pool of sets whose pages are all there, and by group of a set; in each by subject."""
    sets = _split(scores, lambda score: score.of)
    pools = {
        name: _by_subject([score for part in parts for score in sets[part]])
        for name, parts in POOLS.items()
        if all(part in sets for part in parts)
    }
    groups = {
        of: {group: _by_subject(part) for group, part in _split(some, lambda score: score.group).items()}
        for of, some in sets.items()
        if len({score.group for score in some}) > 1
    }
    everything = {"all": _by_subject(scores)} if scores else {}
    return {
        "sets": {of: _by_subject(some) for of, some in sets.items()},
        "pools": pools | everything,
        "groups": groups,
    }


def _by_subject(scores: Iterable[Score]) -> Figures:
    return {name: _means(some) for name, some in _split(scores, lambda score: score.subject).items()}


def _means(scores: Sequence[Score]) -> Figures:
    again = [score.read_again for score in scores if score.read_again is not None]
    return {
        "pages": len(scores),
        "f1": fmean(score.f1 for score in scores),
        "cer": fmean(score.cer for score in scores),
        "cpu_seconds": fmean(score.cpu_seconds for score in scores),
        "turned_wrongly": sum(score.turned_wrongly for score in scores),
        "read_again": fmean(again) if again else None,
    }


def _split(scores: Iterable[Score], key: Callable[[Score], str]) -> dict[str, list[Score]]:
    """In the order of the pages, so that a run with more lanes gives the same figures."""
    parts: dict[str, list[Score]] = {}
    for score in sorted(scores, key=lambda score: score.number):
        parts.setdefault(key(score), []).append(score)
    return parts
