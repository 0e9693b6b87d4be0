"""Goodput under overload: correct answers within the deadline, per second.

Open loop, Poisson arrivals, at multiples of the saturation throughput that was measured just before. The first
seconds, in which queues fill, are not counted.
"""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any

from bench import load, machine, stats, subjects
from bench.subjects import USUAL, BrokenRun
from bench.workloads import workload

if TYPE_CHECKING:
    from bench.run import Run
    from bench.subjects import Subject

DEADLINE_SECONDS = 5.0
_MULTIPLES = (1, 2, 5, 10)
_SHORT_MULTIPLES = (1, 10)
_SECONDS, _WARM_SECONDS = 24.0, 6.0
_SHORT_SECONDS, _SHORT_WARM_SECONDS = 7.0, 2.0
_PATIENCE_SECONDS = 3.0  # after the deadline, to receive the service's own 504
_MOST_ROUNDS = 3
_REFUSED, _TOO_LATE = 429, 504


def measure(run: Run) -> dict[str, Any]:
    short = run.options.short
    multiples = _SHORT_MULTIPLES if short else _MULTIPLES
    rounds = 1 if short else min(_MOST_ROUNDS, run.options.rounds)
    slow = {} if short or run.options.without_usual else USUAL
    run.steps("Goodput under overload", (rounds + len(slow)) * (1 + len(multiples)))
    points: dict[int, list[dict[str, Any]]] = {multiple: [] for multiple in multiples}
    for number in range(rounds):
        subject = run.stack().service
        with run.step("saturation"):
            saturation = run.closed(subject, "page", run.count("page", 3.0), run.saturating).per_second
        for multiple in multiples:
            with run.step(f"{multiple} x"):
                points[multiple].append(_offer(run, subject, multiple * saturation, number))
    return {
        "workload": "page",
        "deadline_seconds": DEADLINE_SECONDS,
        "service": _figures(points),
        "usual": {name: _of_usual(run, name, env) for name, env in slow.items()},
    }


def _of_usual(run: Run, name: str, env: dict[str, str]) -> dict[str, Any]:
    """One round. Each load gets a new process: the old one would still work on the previous load."""
    with subjects.usual(name, env) as subject, run.step(f"{name}, saturation"):
        saturation = run.closed(subject, "page", 8, 4, exact=False).per_second
    points: dict[int, list[dict[str, Any]]] = {}
    for multiple in _MULTIPLES:
        with subjects.usual(name, env) as subject, run.step(f"{name}, {multiple} x"):
            points[multiple] = [_offer(run, subject, multiple * saturation, 0, exact=False)]
    return _figures(points)


def _offer(run: Run, subject: Subject, rate: float, seed: int, *, exact: bool = True) -> dict[str, Any]:
    short = run.options.short
    seconds, warm = (_SHORT_SECONDS, _SHORT_WARM_SECONDS) if short else (_SECONDS, _WARM_SECONDS)
    due = load.poisson(rate, seconds, seed)
    target = load.Target(subject.port, subjects.requests(subject, workload("page"), DEADLINE_SECONDS))
    patience = DEADLINE_SECONDS + (_PATIENCE_SECONDS if exact else 0)
    picks = workload("page").picks(len(due))
    meter = machine.CpuMeter(subject.cpu_seconds)
    result = load.run(load.Plan(target, picks, due=due, patience=patience))
    use = meter.stop(generator=result.cpu_seconds)
    run.foreign.append(use.foreign)
    answered = [sample for sample in result.samples if sample.status == 200]
    run.check(subject, "page", answered, exact=exact)
    statuses = Counter(sample.status for sample in result.samples)
    if exact and (wrong := set(statuses) - {200, _REFUSED, _TOO_LATE}):
        raise BrokenRun(f"overload: {subject.name} answered {sorted(wrong)}")
    in_time = [sample for sample in answered if sample.seconds <= DEADLINE_SECONDS]
    counted = [s for s in in_time if warm <= s.ended - result.began <= seconds]
    refusals = [s.seconds for s in result.samples if s.status == _REFUSED]
    accepted = len(result.samples) - len(refusals)
    return {
        "offered_per_second": len(due) / seconds,
        "goodput_per_second": len(counted) / (seconds - warm),
        "statuses": {str(status): number for status, number in sorted(statuses.items())},
        "accepted_in_time": len(in_time) / accepted if accepted else 1.0,
        "accepted_p99_ms": 1e3 * stats.percentile([s.seconds for s in answered], 99) if answered else None,
        "refused_p50_ms": 1e3 * stats.percentile(refusals, 50) if refusals else None,
        "refused_p99_ms": 1e3 * stats.percentile(refusals, 99) if refusals else None,
        "cpu_seconds": use.by_process,
        "foreign": use.foreign,
        "generator_late_ms": 1e3 * result.late_seconds,
    }


def _figures(points: dict[int, list[dict[str, Any]]]) -> dict[str, Any]:
    goodput = {m: [point["goodput_per_second"] for point in rounds] for m, rounds in points.items()}
    peaks = [max(of_round) for of_round in zip(*goodput.values(), strict=True)]
    most = max(points)
    return {
        "points": {
            str(multiple): {
                "goodput_per_second": stats.summary(goodput[multiple]),
                "offered_per_second": statistics.median(point["offered_per_second"] for point in rounds),
                "rounds": rounds,
            }
            for multiple, rounds in points.items()
        },
        "most": most,
        "goodput_ratio": stats.summary(
            [last / peak if peak else 0.0 for last, peak in zip(goodput[most], peaks, strict=True)]
        ),
        "accepted_in_time": min(point["accepted_in_time"] for rounds in points.values() for point in rounds),
    }
