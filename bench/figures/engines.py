"""The engines through the service, compared with bare ones: at saturation, and one page alone.

`auto` is compared with bare Tesseract and must return its text: the pages are clean. `neural` is compared with the
bare neural engine, which does not ask for the orientation of the page first, as the service does.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import stats
from bench.figures.throughput import ratio, summaries
from bench.pairs import times
from bench.run import Run, interleave

if TYPE_CHECKING:
    from bench.limit import BareEngine
    from bench.pairs import Pair
    from service_kit.page import EngineName

_SECONDS, _SHORT_SECONDS = 6.0, 1.0


class _Case(NamedTuple):
    engine: EngineName
    workload: str
    bare: BareEngine


def measure(run: Run) -> dict[str, Any]:
    cases = [_Case("auto", "a4-200", "tesseract"), _Case("neural", "a4-200", "neural")]
    small = [] if run.options.short else [_Case("auto", "page", "tesseract")]
    return {
        "clients": run.saturating,
        "saturated": [_saturated(run, case) for case in cases + small],
        "alone": _alone(run, cases),
    }


def _saturated(run: Run, case: _Case) -> dict[str, Any]:
    engine, name, bare = case
    subject = run.stack().by_engine(engine)
    count = run.count(name, _seconds(run), bare)
    run.closed(subject, name, 2 * run.cores, run.saturating, engine=bare)  # unmeasured: warms every worker up
    measured = interleave(
        run,
        _rounds(run),
        {
            "limit": lambda: run.limit(name, count, bare),
            "service": lambda: run.closed(subject, name, count, run.saturating, engine=bare),
        },
        f"Engine {engine}: {name}",
    )
    return case._asdict() | {"subjects": summaries(measured), "ratio": ratio(measured, "service", "limit")}


def _alone(run: Run, cases: list[_Case]) -> list[dict[str, Any]]:
    """One client of an idle service, compared with one bare engine."""
    rounds = _rounds(run)
    run.steps("One page alone", rounds * len(cases))
    found: dict[_Case, list[list[Pair]]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case, pairs in found.items():
            with run.step(case.engine):
                subject = run.stack().by_engine(case.engine)
                pairs.append(run.paired(subject, case.workload, _seconds(run), case.bare))
    return [case._asdict() | _figures(pairs) for case, pairs in found.items()]


def _figures(rounds: list[list[Pair]]) -> dict[str, Any]:
    """`times_as_fast` is the median ratio of the two halves of each pair."""
    return {
        **times(rounds),
        "times_as_fast": stats.summary(
            [statistics.median(p.engine / p.service for p in pairs) for pairs in rounds]
        ),
    }


def _rounds(run: Run) -> int:
    return 1 if run.options.short else run.options.rounds


def _seconds(run: Run) -> float:
    return _SHORT_SECONDS if run.options.short else _SECONDS
