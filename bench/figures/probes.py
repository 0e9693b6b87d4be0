"""Response times of probes and /metrics while every worker is busy and pictures wait."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from bench import load, machine, stats, subjects
from bench.subjects import BrokenRun
from bench.workloads import workload

if TYPE_CHECKING:
    from bench.run import Run
    from bench.subjects import Stack

_EVERY_SECONDS = 0.02  # one probe to each service
_SECONDS, _SHORT_SECONDS = 15.0, 5.0
_MOST_ROUNDS = 3
_PATHS = {
    "gateway": ("/health/live", "/health/ready", "/metrics"),
    "model server": ("/", "/v1/models/ocr-model", "/metrics"),
}


def measure(run: Run) -> dict[str, Any]:
    short = run.options.short
    rounds = 1 if short else min(_MOST_ROUNDS, run.options.rounds)
    load_of = "page" if short else "mix"
    run.steps("Probes while saturated", rounds)
    seconds: dict[str, list[float]] = {
        f"{service} {path}": [] for service, paths in _PATHS.items() for path in paths
    }
    for _ in range(rounds):
        with run.step(load_of):
            for name, found in _round(run, load_of, _SHORT_SECONDS if short else _SECONDS).items():
                seconds[name] += found
    return {
        "workload": load_of,
        "clients": run.saturating,
        "paths": {
            name: {
                "probes": len(found),
                "ms": {percent: 1e3 * value for percent, value in stats.percentiles(found).items()},
            }
            for name, found in seconds.items()
        },
        "worst_p99_ms": 1e3 * max(stats.percentile(found, 99) for found in seconds.values()),
    }


def _round(run: Run, load_of: str, seconds: float) -> dict[str, list[float]]:
    stack = run.stack()
    work = workload(load_of)
    target = load.Target(stack.service.port, subjects.requests(stack.service, work))
    # More than can be read in that time; stopped when the probes are done.
    saturating = load.start(load.Plan(target, work.picks(run.count(load_of, 10 * seconds)), run.saturating))
    probers = {service: load.start(_probes(stack, service, seconds)) for service in _PATHS}
    try:
        meter = machine.CpuMeter(stack.service.cpu_seconds)
        saturating.go()
        for prober in probers.values():
            prober.go()
        results: dict[str, load.Result] = {service: prober.result() for service, prober in probers.items()}
        run.foreign.append(meter.stop(probers=sum(one.cpu_seconds for one in results.values())).foreign)
    finally:
        for child in (*probers.values(), saturating):
            child.close()
    found: dict[str, list[float]] = {}
    for service, result in results.items():
        for sample in result.samples:
            name = f"{service} {_PATHS[service][sample.pick]}"
            if sample.status != 200:
                raise BrokenRun(f"{name} answered {sample.status} under load")
            found.setdefault(name, []).append(sample.seconds)
    return found


def _probes(stack: Stack, service: str, seconds: float) -> load.Plan:
    port = stack.gateway.port if service == "gateway" else stack.model.port
    count = int(seconds / _EVERY_SECONDS)
    settling = 1.0  # until the load is running
    return load.Plan(
        load.Target(port, [subjects.get(path) for path in _PATHS[service]]),
        list(itertools.islice(itertools.cycle(range(len(_PATHS[service]))), count)),
        due=[settling + number * _EVERY_SECONDS for number in range(count)],
        fresh_connections=True,
    )
