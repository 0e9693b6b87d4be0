"""Latency percentiles by offered load: open loop, Poisson arrivals, counted from each planned start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import load, stats, subjects
from bench.workloads import workload

if TYPE_CHECKING:
    from bench.run import Run

_SHARES = (0.2, 0.4, 0.6, 0.7, 0.8, 0.9)  # share of the saturation throughput of the same round
_SHORT_SHARES = (0.5,)
_SECONDS, _SHORT_SECONDS = 20.0, 5.0
_MOST_ROUNDS = 3
_REFUSED = 429  # other processes may leave too little CPU for the offered load


def measure(run: Run) -> dict[str, Any]:
    short = run.options.short
    shares = _SHORT_SHARES if short else _SHARES
    rounds = 1 if short else min(_MOST_ROUNDS, run.options.rounds)
    run.steps("Latency against load", rounds * (1 + len(shares)))
    subject = run.stack().service
    requests = subjects.requests(subject, workload("page"))
    count = run.count("page", 2.0 if short else 4.0)
    seconds: dict[float, list[float]] = {share: [] for share in shares}
    refused = dict.fromkeys(shares, 0)
    saturation: list[float] = []
    late = 0.0
    for number in range(rounds):
        with run.step("saturation"):
            saturation.append(run.closed(subject, "page", count, run.saturating).per_second)
        for share in shares:
            with run.step(f"{share:.0%}"):
                due = load.poisson(share * saturation[-1], _SHORT_SECONDS if short else _SECONDS, number)
                picks = workload("page").picks(len(due))
                result = load.run(load.Plan(load.Target(subject.port, requests), picks, due=due))
                answered = [sample for sample in result.samples if sample.status != _REFUSED]
                run.check(subject, "page", answered)
                seconds[share] += [sample.seconds for sample in answered]
                refused[share] += len(result.samples) - len(answered)
                late = max(late, result.late_seconds)
    return {
        "workload": "page",
        "saturation_per_second": stats.summary(saturation),
        "points": [
            {
                "share": share,
                "answered": len(found),
                "refused": refused[share],
                "ms": {name: 1e3 * value for name, value in stats.percentiles(found).items()},
            }
            for share, found in seconds.items()
        ],
        "generator_late_ms": 1e3 * late,
    }
