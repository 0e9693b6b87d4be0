"""One client, one picture at a time: alternates between an engine in this process and the service.

Disturbances of the machine slow down both halves of a pair, so they hardly affect the difference.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import uvloop

from bench import child, machine, stats
from bench.http1 import Answer, Connection
from bench.limit import warm_engine
from bench.load import HOST, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.limit import BareEngine
    from model_server.reading.image import PageImage


def times(rounds: list[list[Pair]]) -> dict[str, Any]:
    """The number of pairs of all rounds, and the medians of each round, in milliseconds."""
    return {
        "pairs": sum(map(len, rounds)),
        "engine_ms": stats.summary([1e3 * statistics.median(p.engine for p in pairs) for pairs in rounds]),
        "service_ms": stats.summary([1e3 * statistics.median(p.service for p in pairs) for pairs in rounds]),
    }


@dataclass(frozen=True)
class Plan:
    images: list[PageImage]
    target: Target
    picks: list[int]
    engine: BareEngine = "tesseract"


class Pair(NamedTuple):
    """Seconds of engine and service, and the service's answer."""

    pick: int
    engine: float
    service: float
    status: int
    body: bytes


@dataclass(frozen=True)
class Result:
    pairs: list[Pair]
    cpu_seconds: float


def run(plan: Plan, meter: machine.CpuMeter) -> Result:
    """`meter` begins when the engine is warm."""
    started = child.Child(__name__, plan, {**os.environ, "OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1"})
    try:
        started.wait_ready()
        meter.begin()
        started.go()
        result: Result = started.result()
    finally:
        started.close()
    return result


def prepare(plan: Plan) -> Callable[[], Result]:
    machine.schedule_as_worker()
    read = warm_engine(plan.engine, plan.images)

    def by_engine(pick: int) -> float:
        began = time.perf_counter()
        read(plan.images[pick])
        return time.perf_counter() - began

    async def by_service(connection: Connection, pick: int) -> tuple[float, Answer]:
        began = time.perf_counter()
        answer = await connection.ask(plan.target.requests[pick])
        return time.perf_counter() - began, answer

    async def work() -> Result:
        cpu = time.process_time()
        connection = await Connection.open(HOST, plan.target.port)
        pairs: list[Pair] = []
        for number, pick in enumerate(plan.picks):
            if number % 2:
                service, answer = await by_service(connection, pick)
                bare = by_engine(pick)
            else:
                bare = by_engine(pick)
                service, answer = await by_service(connection, pick)
            pairs.append(Pair(pick, bare, service, *answer))
        connection.close()
        return Result(pairs, time.process_time() - cpu)

    return lambda: uvloop.run(work())
