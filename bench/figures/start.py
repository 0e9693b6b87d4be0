"""Time from the start of a process until it is ready, and until every worker is."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bench import stats, subjects

if TYPE_CHECKING:
    from bench.run import Run


def measure(run: Run) -> dict[str, Any]:
    rounds = 1 if run.options.short else run.options.rounds
    run.steps("Start", rounds)
    seconds: dict[str, list[float]] = {"model_server": [], "all_workers": [], "gateway": []}
    for _ in range(rounds):
        with run.step("both services"):
            for name, found in _round().items():
                seconds[name].append(found)
    return {name: stats.summary(found) for name, found in seconds.items()}


def _round() -> dict[str, float]:
    found: dict[str, float] = {}
    with (
        TemporaryDirectory(prefix="bench-") as logs,
        subjects.services_to_start(Path(logs), "auto") as (model, gateway),
    ):
        began = time.monotonic()
        model.start().wait_ready()
        found["model_server"] = time.monotonic() - began
        subjects.wait_for_workers(model)
        found["all_workers"] = time.monotonic() - began
        began = time.monotonic()
        gateway.start().wait_ready()
        found["gateway"] = time.monotonic() - began
    return found
