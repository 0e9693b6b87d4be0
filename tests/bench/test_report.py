"""The document says what the results say, and leaves what people wrote as it is."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from bench import charts, report
from bench.figures import FIGURES
from bench.goals import GOALS, Goal, missing, verdicts

RESULTS = Path("bench/results.json")


def spread(median: float, low: float, high: float) -> dict[str, Any]:
    return {"median": median, "min": low, "max": high, "rounds": [low, median, high]}


@pytest.fixture
def results() -> dict[str, Any]:
    subject = {
        "pictures": 10,
        "per_second": spread(9.5, 9.0, 9.9),
        "cpu_ms_total": spread(1, 1, 1),
        "foreign": spread(0, 0, 0),
    }
    service = {"workers": 131.0, "model server": 2.0, "gateway": 2.5, "generator": 0.3}
    ratio = spread(0.93, 0.91, 0.95) | {"by_cpu": spread(0.95, 0.94, 0.96)}
    return {
        "machine": {"cpu": "Some CPU", "cores": 2, "memory_gib": 8.0, "system": "Linux 6", "python": "3.11.7"},
        "date": "2026-01-02 03:04 UTC",
        "commit": "0123456789ab",
        "settings": {"short": False, "rounds": 3, "without_usual": False},
        "seconds": 600.0,
        "foreign": spread(0.01, 0.0, 0.02),
        "figures": {
            "page-throughput": {
                "workload": "page",
                "clients": 8,
                "subjects": {
                    "limit": subject | {"cpu_ms": {"engine": 130.0}},
                    "service": subject | {"cpu_ms": service},
                    "model_server": subject | {"cpu_ms": service},
                },
                "ratios": {"service/limit": ratio, "model_server/limit": ratio},
            },
            "start": {name: spread(2.5, 2.4, 7.25) for name in ("model_server", "all_workers", "gateway")},
        },
    }


def test_the_text_holds_the_figures_their_spread_and_their_origin(results: dict[str, Any]) -> None:
    text = report.markdown(results)
    for part in (
        "Some CPU, 2 cores",
        "2026-01-02 03:04 UTC",
        "`0123456789ab`",
        "| at least 0.9 | 0.93 (0.91 to 0.95) | yes |",
        "| at most 6 s | 2.50 s (2.40 to 7.25) | yes |",
        "| page, 640 x 480 | 130.0 | 131.0 | 2.0 | 2.5 | 0.3 |",
    ):
        assert part in text
    assert "also ran other work" not in text


@pytest.fixture
def engines() -> dict[str, Any]:
    cases = [("auto", "a4-200", "tesseract", 0.85), ("neural", "a4-200", "neural", 0.96)]
    named = [{"engine": engine, "workload": name, "bare": bare} for engine, name, bare, _ in cases]
    subjects = {
        "limit": {"per_second": spread(2.5, 2.4, 2.6)},
        "service": {"per_second": spread(3.5, 3.4, 3.6)},
    }
    return {
        "clients": 8,
        "saturated": [
            case | {"subjects": subjects, "ratio": spread(ratio, 0.8, 1.0) | {"by_cpu": spread(0.87, 0.86, 0.88)}}
            for case, (*_, ratio) in zip(named, cases, strict=True)
        ],
        "alone": [
            case
            | {
                "pairs": 20,
                "engine_ms": spread(1700, 1600, 1800),
                "service_ms": spread(1000, 900, 1100),
                "times_as_fast": spread(1 + ratio, 1.7, 2.1),
            }
            for case, (*_, ratio) in zip(named, cases, strict=True)
        ],
    }


def test_each_engine_has_its_rows(results: dict[str, Any], engines: dict[str, Any]) -> None:
    assert "## Engines" not in report.markdown(results)
    results["figures"]["engines"] = engines
    text = report.markdown(results)
    both = "2.50 (2.40 to 2.60) | 3.50 (3.40 to 3.60)"
    alone = "20 | 1700 (1600 to 1800) | 1000 (900 to 1100)"
    for row in (
        f"| `auto`, A4, 200 dpi | Tesseract | {both} | 0.85 (0.80 to 1.00) | 0.87 (0.86 to 0.88) |",
        f"| `neural`, A4, 200 dpi | neural | {both} | 0.96 (0.80 to 1.00) | 0.87 (0.86 to 0.88) |",
        f"| `auto`, A4, 200 dpi | Tesseract | {alone} | 1.85 (1.70 to 2.10) |",
        f"| `neural`, A4, 200 dpi | neural | {alone} | 1.96 (1.70 to 2.10) |",
    ):
        assert row in text


def test_the_goals_of_the_engines_are_those_of_the_right_rows(engines: dict[str, Any]) -> None:
    assert [(verdict.goal.bound, verdict.median) for verdict in verdicts({"engines": engines})] == [
        (0.95, 0.96),
        (1.5, 1.96),
        (1.5, 1.85),
    ]


def test_a_goal_that_is_not_reached_is_said_plainly(results: dict[str, Any]) -> None:
    results["figures"]["start"]["model_server"] = spread(6.01, 6, 7)
    assert "| 6.01 s (6.00 to 7.00) | **no** |" in report.markdown(results)


def test_a_busy_machine_is_said_plainly(results: dict[str, Any]) -> None:
    results["foreign"] = spread(0.3, 0.1, 0.5)
    assert "other processes used 30% of the cores" in report.markdown(results)


def test_only_what_stands_between_the_markers_is_replaced(results: dict[str, Any], tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write(results, document)
    once = document.read_text()
    report.write(results, document)
    assert document.read_text() == once
    assert once.startswith(f"before\n{report.BEGIN}\n")
    assert once.endswith(f"{report.END}\nafter\n")
    assert "old" not in once


def test_a_document_without_markers_is_left_alone(results: dict[str, Any], tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("mine\n")
    with pytest.raises(ValueError, match="markers"):
        report.write(results, document)
    assert document.read_text() == "mine\n"


def test_every_goal_has_its_figure_in_either_mode() -> None:
    for goal in GOALS:
        assert FIGURES[goal.figure].short, goal.figure


@pytest.mark.parametrize(("at_least", "good"), [(True, [2.0, 2.1]), (False, [2.0, 1.9])])
def test_a_goal_is_reached_at_its_bound(at_least: bool, good: list[float]) -> None:
    goal = Goal("x", "start", lambda found: found, 2, at_least=at_least)
    assert all(goal.reached(value) for value in good)
    assert not goal.reached(4 - good[1])


def test_figures_that_were_not_measured_have_no_verdict(results: dict[str, Any]) -> None:
    assert {verdict.goal.figure for verdict in verdicts(results["figures"])} == {"page-throughput", "start"}


def test_the_charts_are_drawn(tmp_path: Path) -> None:
    points = {"1": spread(1, 1, 1), "8": spread(5, 4, 6)}
    overload = {
        str(multiple): {"goodput_per_second": spread(5, 4, 6), "offered_per_second": 1.0}
        for multiple in (1, 2, 5, 10)
    }
    figures = {
        "concurrency": {"per_second": {"limit": {"any": spread(6, 6, 6)}, "service": points, "usual": points}},
        "latency": {"points": [{"share": 0.5, "ms": {"p50": 1.0, "p90": 2.0, "p95": 3.0, "p99": 4.0}}]},
        "overload": {
            "deadline_seconds": 5.0,
            "service": {"points": overload},
            "usual": {"usual": {"points": overload}},
        },
        "memory": {
            "many": 2000,
            "timeline": [
                {"seconds": s, "gateway": 60.0, "model server": 130.0, "workers": 150.0} for s in (1.0, 2.0)
            ],
        },
    }
    charts.write({"figures": figures}, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"{name}.png" for name in sorted(figures)]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in tmp_path.iterdir())


def test_the_document_at_hand_is_what_the_results_at_hand_give(tmp_path: Path) -> None:
    if not RESULTS.is_file():
        pytest.skip("no full run has been recorded yet")
    document = tmp_path / "performance.md"
    document.write_text(report.DOCUMENT.read_text())
    report.write(json.loads(RESULTS.read_text()), document)
    assert document.read_text() == report.DOCUMENT.read_text()


def test_a_goal_says_what_it_demands() -> None:
    by_title = {goal.title: goal for goal in GOALS}
    assert len(by_title) == len(GOALS)
    start = by_title["model server, start to ready"]
    assert start.demand == "at most 6 s"
    assert dataclasses.replace(start, at_least=True).demand == "at least 6 s"


def test_goals_without_a_value_are_named(results: dict[str, Any]) -> None:
    absent = missing(results["figures"], without_usual=False)
    assert "(b) / (d), throughput at concurrency 4, page" in absent
    assert "model server, start to ready" not in absent
    assert not [title for title in missing(results["figures"], without_usual=True) if "(d)" in title]
