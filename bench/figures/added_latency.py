"""The time that the whole path adds to the bare engine's time, with one client."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from bench import load, machine, pairs, stats, subjects
from bench.subjects import BrokenRun
from bench.workloads import workload

if TYPE_CHECKING:
    from bench.run import Run

_SECONDS = 6.0  # per half and round


def measure(run: Run) -> dict[str, Any]:
    names = ("page",) if run.options.short else ("page", "label", "a4-200", "a4-300", "photo")
    rounds = 1 if run.options.short else run.options.rounds
    run.steps("Added latency", rounds * len(names))
    found: dict[str, list[list[pairs.Pair]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            with run.step(name):
                found[name].append(_pairs(run, name))
    return {"workloads": {name: _figures(of_rounds) for name, of_rounds in found.items()}}


def _pairs(run: Run, name: str) -> list[pairs.Pair]:
    work = workload(name)
    subject = run.stack().service
    reference = run.reference(name)
    mean = statistics.mean(reference.seconds)
    count = max(4, min(100, round(_SECONDS / mean)))
    target = load.Target(subject.port, subjects.requests(subject, work))
    meter = machine.CpuMeter(subject.cpu_seconds)
    result = pairs.run(pairs.Plan([image.grey for image in work.images], target, work.picks(count)))
    run.foreign.append(meter.stop(engine=result.cpu_seconds).foreign)
    for pair in result.pairs:
        if pair.status != 200 or subject.text(pair.body) != reference.texts[pair.pick]:
            raise BrokenRun(f"added latency, {name}: answered {pair.status}: {pair.body[:300]!r}")
    return result.pairs


def _figures(rounds: list[list[pairs.Pair]]) -> dict[str, Any]:
    """Milliseconds; `added` is the median difference between the two halves of each pair."""
    return {
        "pairs": sum(map(len, rounds)),
        "engine_ms": stats.summary([1e3 * statistics.median(p.engine for p in pairs) for pairs in rounds]),
        "service_ms": stats.summary([1e3 * statistics.median(p.service for p in pairs) for pairs in rounds]),
        "added_ms": stats.summary(
            [1e3 * statistics.median(p.service - p.engine for p in pairs) for pairs in rounds]
        ),
    }
