"""Targets of the benchmark, and whether they are reached. Set for two cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Figures = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """`value` takes the figure's results and returns the measured value with its smallest and largest round."""

    title: str
    figure: str
    value: Callable[[Figures], dict[str, Any]]
    bound: float
    at_least: bool = True
    unit: str = ""
    digits: int = 2
    needs_usual: bool = False

    @property
    def demand(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.bound:g}{self.unit}"

    def reached(self, median: float) -> bool:
        return median >= self.bound if self.at_least else median <= self.bound


def _single(value: float) -> dict[str, Any]:
    return {"median": value, "min": value, "max": value}


def _share(ratio: str) -> Callable[[Figures], dict[str, Any]]:
    return lambda found: found["ratios"][ratio]


def _against(ratio: str) -> Callable[[Figures], dict[str, Any]]:
    return lambda found: found["against_usual"]["ratios"][ratio]


def _first(cases: str, engine: str, value: str) -> Callable[[Figures], dict[str, Any]]:
    return lambda found: next(case[value] for case in found[cases] if case["engine"] == engine)


_STORES = ("sqlite", "postgres")


def _of_store(store: str, value: Callable[[Figures], dict[str, Any]]) -> Callable[[Figures], dict[str, Any]]:
    return lambda found: value(found["stores"][store])


GOALS = (
    Goal("(b) / (a), throughput at saturation, A4 at 200 dpi", "a4-200-throughput", _share("service/limit"), 0.95),
    Goal(
        "(b) / (a), throughput at saturation, page of 640 x 480", "page-throughput", _share("service/limit"), 0.90
    ),
    Goal(
        "(b) / (d), throughput at concurrency 4, page",
        "page-throughput",
        _against("service/usual"),
        10,
        digits=1,
        needs_usual=True,
    ),
    Goal(
        "(b) / (e), throughput at concurrency 4, page",
        "page-throughput",
        _against("service/usual_omp1"),
        2,
        digits=1,
        needs_usual=True,
    ),
    Goal(
        "(b) / (a), engine=neural, throughput at saturation, A4 at 200 dpi",
        "engines",
        _first("saturated", "neural", "ratio"),
        0.95,
    ),
    Goal(
        "(b) with one client, engine=neural, times as fast as one bare engine, A4 at 200 dpi",
        "engines",
        _first("alone", "neural", "times_as_fast"),
        1.5,
    ),
    Goal(
        "(b) with one client, engine=auto, times as fast as one bare Tesseract, A4 at 200 dpi",
        "engines",
        _first("alone", "auto", "times_as_fast"),
        1.5,
    ),
    Goal(
        "(b) time added over the bare engine at concurrency 1, p50, page",
        "added-latency",
        lambda found: found["workloads"]["page"]["added_ms"],
        12,
        at_least=False,
        unit=" ms",
        digits=1,
    ),
    Goal(
        "goodput at 10 times the saturating load / peak goodput",
        "overload",
        lambda found: found["service"]["goodput_ratio"],
        0.95,
    ),
    Goal(
        "accepted requests answered within their deadline, all loads",
        "overload",
        lambda found: _single(100 * found["service"]["accepted_in_time"]),
        99,
        unit=" %",
        digits=1,
    ),
    Goal(
        "probes and /metrics while saturated, worst p99",
        "probes",
        lambda found: _single(found["worst_p99_ms"]),
        50,
        at_least=False,
        unit=" ms",
        digits=1,
    ),
    Goal(
        "model server, start to ready",
        "start",
        lambda found: found["model_server"],
        6,
        at_least=False,
        unit=" s",
    ),
    Goal(
        "memory after 2,000 pictures / after 100",
        "memory",
        lambda found: _single(found["ratio"]),
        1.10,
        at_least=False,
    ),
    Goal(
        "one document of 40 pages, pages per second / (a)",
        "documents",
        lambda found: found["throughput"]["ratio"],
        0.93,
    ),
    Goal(
        "first page of a 300-page document / a single page",
        "documents",
        lambda found: _single(found["first_page"]["ratio"]),
        1.5,
        at_least=False,
    ),
    Goal(
        "one document over 1, 2, 4 and 8 simulated model servers, worst share of linear scaling",
        "documents",
        lambda found: _single(found["spread"]["least"]),
        0.9,
    ),
    Goal(
        "pictures during a document: added p95 / engine time of a document page",
        "documents",
        lambda found: _single(found["pictures"]["p95_added_pages"]),
        1,
        at_least=False,
    ),
    *(
        Goal(
            f"a job of one page, time added over the same request, p50, {store}",
            "jobs",
            _of_store(store, lambda found: _single(found["added_ms"])),
            60,
            at_least=False,
            unit=" ms",
            digits=1,
        )
        for store in _STORES
    ),
    *(
        Goal(
            f"40 jobs of one page, pages per second / 40 requests, {store}",
            "jobs",
            _of_store(store, lambda found: found["ratio"]),
            0.90,
        )
        for store in _STORES
    ),
)


@dataclass(frozen=True)
class Verdict:
    goal: Goal
    median: float
    low: float
    high: float

    @property
    def reached(self) -> bool:
        return self.goal.reached(self.median)

    @property
    def measured(self) -> str:
        goal = self.goal
        text = f"{self.median:.{goal.digits}f}{goal.unit}"
        if self.low != self.high:
            text += f" ({self.low:.{goal.digits}f} to {self.high:.{goal.digits}f})"
        return text


def verdicts(figures: dict[str, Figures]) -> list[Verdict]:
    """Verdicts on all measured goals; comparisons with the usual design are optional."""
    return [
        Verdict(goal, value["median"], value["min"], value["max"])
        for goal in GOALS
        if (value := _value(goal, figures)) is not None
    ]


def missing(figures: dict[str, Figures], *, without_usual: bool) -> list[str]:
    """Goals that should have a measured value but have none."""
    return [
        goal.title for goal in GOALS if _value(goal, figures) is None and not (without_usual and goal.needs_usual)
    ]


def _value(goal: Goal, figures: dict[str, Figures]) -> dict[str, Any] | None:
    found = figures.get(goal.figure)
    if found is None or (goal.needs_usual and "against_usual" not in found):
        return None
    return goal.value(found)
