"""The figures, one module each: `measure(run)` returns the results of the figure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.figures import (
    added_latency,
    concurrency,
    documents,
    engines,
    halves,
    jobs,
    latency,
    memory,
    overload,
    probes,
    stages,
    start,
    throughput,
)
from bench.workloads import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.run import Run


@dataclass(frozen=True)
class Figure:
    """`short`: also part of the short mode."""

    measure: Callable[[Run], dict[str, Any]]
    short: bool = True


FIGURES: dict[str, Figure] = {
    **{
        f"{name}-throughput": Figure(partial(throughput.measure, name=name), short=name in ("page", "a4-200"))
        for name in NAMES
    },
    "engines": Figure(engines.measure),
    "added-latency": Figure(added_latency.measure),
    "concurrency": Figure(concurrency.measure, short=False),
    "latency": Figure(latency.measure),
    "overload": Figure(overload.measure),
    "probes": Figure(probes.measure),
    "documents": Figure(documents.measure),
    "jobs": Figure(jobs.measure),
    "start": Figure(start.measure),
    "memory": Figure(memory.measure),
    "halves": Figure(halves.measure, short=False),
    "stages": Figure(stages.measure, short=False),
}
