"""The load generator: a separate process that sends to 127.0.0.1 only.

Closed loop, for throughput: a fixed number of clients, each sends its next request after the previous answer.
Open loop: requests start at times that are fixed in advance, whatever the answers. Latency counts from the planned
start, even if the generator itself was late, to avoid coordinated omission.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import uvloop

from bench import child
from bench.http1 import Answer, Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HOST = "127.0.0.1"
NO_ANSWER = 0  # used as status: the connection broke, or the client timed out
_MOST_CONNECTIONS = 4000


@dataclass(frozen=True)
class Target:
    """The port, and complete requests as bytes."""

    port: int
    requests: list[bytes]


@dataclass(frozen=True)
class Plan:
    """`picks` are indices into the target's requests.

    With `due` (seconds from the start, one per pick) the loop is open; without, it is closed with `clients`
    clients. A client waits `patience` seconds for an answer.
    """

    target: Target
    picks: list[int]
    clients: int = 1
    due: list[float] | None = None
    patience: float = 120.0
    fresh_connections: bool = False


class Sample(NamedTuple):
    """One request; all times are monotonic seconds. In a closed loop, `due` is the time of sending."""

    pick: int
    due: float
    sent: float
    ended: float
    status: int
    body: bytes

    @property
    def seconds(self) -> float:
        return self.ended - self.due


@dataclass
class Result:
    samples: list[Sample] = field(default_factory=list)
    began: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def wall_seconds(self) -> float:
        """Time from the first request to the last answer."""
        return max(sample.ended for sample in self.samples) - self.began

    @property
    def late_seconds(self) -> float:
        """The generator's longest delay behind its own schedule."""
        return max((sample.sent - sample.due for sample in self.samples), default=0.0)


def poisson(rate: float, seconds: float, seed: int) -> list[float]:
    """Times of independent arrivals, `rate` per second on average; the seed determines them."""
    rng = Random(f"arrivals {seed}")
    moments: list[float] = []
    at = rng.expovariate(rate)
    while at < seconds:
        moments.append(at)
        at += rng.expovariate(rate)
    return moments


def start(plan: Plan) -> child.Child:
    """Start a generator that waits for `go`."""
    return child.Child(__name__, plan, dict(os.environ)).wait_ready()


def run(plan: Plan) -> Result:
    generator = start(plan)
    try:
        generator.go()
        result: Result = generator.result()
    finally:
        generator.close()
    return result


def prepare(plan: Plan) -> Callable[[], Result]:
    return lambda: uvloop.run(_Generator(plan).run())


class _Generator:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._idle: list[Connection] = []
        self._result = Result()

    async def run(self) -> Result:
        cpu = time.process_time()
        self._result.began = time.monotonic()
        if self._plan.due is None:
            await self._closed()
        else:
            await self._open(self._plan.due)
        self._result.cpu_seconds = time.process_time() - cpu
        for connection in self._idle:
            connection.close()
        return self._result

    async def _closed(self) -> None:
        picks = iter(self._plan.picks)
        await asyncio.gather(*(self._client(picks) for _ in range(self._plan.clients)))

    async def _client(self, picks: Iterable[int]) -> None:
        for pick in picks:
            await self._one(pick, time.monotonic())

    async def _open(self, moments: list[float]) -> None:
        pending: set[asyncio.Task[None]] = set()
        for pick, moment in zip(self._plan.picks, moments, strict=True):
            due = self._result.began + moment
            if (pause := due - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            if len(pending) >= _MOST_CONNECTIONS:
                raise RuntimeError(f"more than {_MOST_CONNECTIONS} requests at once")
            task = asyncio.create_task(self._one(pick, due))
            pending.add(task)
            task.add_done_callback(pending.discard)
        while pending:
            await asyncio.wait(pending)

    async def _one(self, pick: int, due: float) -> None:
        sent = time.monotonic()
        left = due + self._plan.patience - sent
        answer = Answer(NO_ANSWER, b"")
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(left):
                answer = await self._ask(self._plan.target.requests[pick])
        self._result.samples.append(Sample(pick, due, sent, time.monotonic(), *answer))

    async def _ask(self, request: bytes) -> Answer:
        connection = self._kept() or await Connection.open(HOST, self._plan.target.port)
        try:
            answer = await connection.ask(request)
        except BaseException:
            connection.close()
            raise
        if self._plan.fresh_connections:
            connection.close()
        elif connection.usable:
            self._idle.append(connection)
        return answer

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None
