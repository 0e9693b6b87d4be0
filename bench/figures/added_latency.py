"""The time that the whole path adds to the bare engine's time, with one client."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from bench import stats
from bench.pairs import times

if TYPE_CHECKING:
    from bench.pairs import Pair
    from bench.run import Run

_SECONDS = 6.0  # per half and round


def measure(run: Run) -> dict[str, Any]:
    names = ("page",) if run.options.short else ("page", "label", "a4-200", "a4-300", "photo")
    rounds = 1 if run.options.short else run.options.rounds
    run.steps("Added latency", rounds * len(names))
    found: dict[str, list[list[Pair]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            with run.step(name):
                found[name].append(run.paired(run.stack().service, name, _SECONDS))
    return {"workloads": {name: _figures(of_rounds) for name, of_rounds in found.items()}}


def _figures(rounds: list[list[Pair]]) -> dict[str, Any]:
    """Milliseconds; `added` is the median difference between the two halves of each pair."""
    return {
        **times(rounds),
        "added_ms": stats.summary(
            [1e3 * statistics.median(p.service - p.engine for p in pairs) for pairs in rounds]
        ),
    }
