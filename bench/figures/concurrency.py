"""Throughput against concurrency: closed loops of 1 to 32 clients, pages of 640 x 480."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from bench import stats
from bench.run import Measured, Run, interleave
from bench.subjects import USUAL, usual

if TYPE_CHECKING:
    from collections.abc import Callable

_CLIENTS = (1, 2, 4, 8, 16, 32)
_CLIENTS_OF_USUAL = (1, 2, 4, 8)
_SECONDS = 4.0
_MOST_ROUNDS = 3


def measure(run: Run) -> dict[str, Any]:
    count = run.count("page", _SECONDS)
    stack = run.stack()
    with contextlib.ExitStack() as started:
        turns: dict[str, Callable[[], Measured]] = {"limit": partial(run.limit, "page", count)}
        for subject in (stack.service, stack.model_server):
            for clients in _CLIENTS:
                turns[f"{subject.name} {clients}"] = partial(run.closed, subject, "page", count, clients)
        if not run.options.without_usual:
            for name, env in USUAL.items():
                slow = started.enter_context(usual(name, env))
                for clients in _CLIENTS_OF_USUAL:
                    turns[f"{name} {clients}"] = partial(
                        run.closed, slow, "page", max(4, clients), clients, exact=False
                    )
        measured = interleave(run, min(_MOST_ROUNDS, run.options.rounds), turns, "Throughput against concurrency")
    series: dict[str, dict[str, Any]] = {}
    for turn, rounds in measured.items():
        name, _, clients_text = turn.partition(" ")
        point = stats.summary([one.per_second for one in rounds])
        series.setdefault(name, {})[clients_text or "any"] = point
    return {"workload": "page", "per_second": series}
