"""Pictures per second: at saturation, compared with the limit; at concurrency 4, with the usual design."""

from __future__ import annotations

import contextlib
import statistics
from typing import TYPE_CHECKING, Any

from bench import stats
from bench.run import Measured, Run, interleave
from bench.subjects import USUAL, usual

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS_AGAINST_USUAL = 4
_SECONDS, _SHORT_SECONDS = 6.0, 2.5
# The usual design is slow: it is measured only for the page, which is compared, and for A4.
_WITH_USUAL = {"page": (8, None), "a4-200": (4, 2)}  # pictures per round, maximum rounds


def measure(run: Run, name: str) -> dict[str, Any]:
    short = run.options.short
    rounds = min(run.options.rounds, 2) if short else run.options.rounds
    count = run.count(name, _SHORT_SECONDS if short else _SECONDS)
    stack = run.stack()
    turns: dict[str, Callable[[], Measured]] = {
        "limit": lambda: run.limit(name, count),
        "service": lambda: run.closed(stack.service, name, count, run.saturating),
        "model_server": lambda: run.closed(stack.model_server, name, count, run.saturating),
    }
    run.closed(stack.service, name, 2 * run.cores, run.saturating)  # unmeasured: warms every worker up
    measured = interleave(run, rounds, turns, f"Throughput: {name}")
    result = {"workload": name, "clients": run.saturating, "subjects": summaries(measured)}
    result["ratios"] = {
        "service/limit": ratio(measured, "service", "limit"),
        "model_server/limit": ratio(measured, "model_server", "limit"),
    }
    if not run.options.without_usual and name in _WITH_USUAL and not (short and name != "page"):
        result["against_usual"] = _against_usual(run, name, rounds)
    return result


def _against_usual(run: Run, name: str, rounds: int) -> dict[str, Any]:
    few, most = _WITH_USUAL[name]
    stack = run.stack()
    count = run.count(name, 1.5)

    with contextlib.ExitStack() as started:
        turns: dict[str, Callable[[], Measured]] = {
            "service": lambda: run.closed(stack.service, name, count, CLIENTS_AGAINST_USUAL)
        }
        for subject_name, env in USUAL.items():
            subject = started.enter_context(usual(subject_name, env))
            turns[subject_name] = lambda subject=subject: run.closed(  # type: ignore[misc]
                subject, name, few, CLIENTS_AGAINST_USUAL, exact=False
            )
        measured = interleave(run, min(rounds, most or rounds), turns, f"Against the usual design: {name}")
    return {
        "clients": CLIENTS_AGAINST_USUAL,
        "subjects": summaries(measured),
        "ratios": {f"service/{other}": ratio(measured, "service", other) for other in USUAL},
    }


def summaries(measured: dict[str, list[Measured]]) -> dict[str, Any]:
    return {
        name: {
            "pictures": rounds[0].pictures,
            "per_second": stats.summary([one.per_second for one in rounds]),
            "cpu_ms": {
                group: statistics.median(one.cpu_ms[group] for one in rounds) for group in rounds[0].cpu_ms
            },
            "cpu_ms_total": stats.summary([sum(one.cpu_ms.values()) for one in rounds]),
            "foreign": stats.summary([one.foreign for one in rounds]),
        }
        for name, rounds in measured.items()
    }


def ratio(measured: dict[str, list[Measured]], above: str, below: str) -> dict[str, Any]:
    """By wall-clock time, and by CPU time per picture, which other processes on the cores distort less."""
    by_clock = stats.ratios(
        [one.per_second for one in measured[above]], [one.per_second for one in measured[below]]
    )
    by_cpu = stats.ratios(
        [sum(one.cpu_ms.values()) for one in measured[below]],
        [sum(one.cpu_ms.values()) for one in measured[above]],
    )
    return stats.summary(by_clock) | {"by_cpu": stats.summary(by_cpu)}
