"""The limit: initialised engines in a loop over decoded pixels, without any service.

A pipe holds the numbers of the pictures to read, and each process takes the next one from it: no process is idle
while there is work.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from bench import child, machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server.reading.image import PageImage
    from service_kit.page import Word

BareEngine = Literal["tesseract", "neural"]
_NUMBER = struct.Struct("<H")
_MOST = 30_000  # fits into a pipe's 64 KiB


class Reading(NamedTuple):
    """One reading: index in the list, start and end (monotonic), CPU seconds, text."""

    number: int
    began: float
    ended: float
    cpu: float
    text: str


@dataclass(frozen=True)
class Result:
    readings: list[Reading]
    cpu_seconds: float

    @property
    def wall_seconds(self) -> float:
        return max(r.ended for r in self.readings) - min(r.began for r in self.readings)


@dataclass(frozen=True)
class _Plan:
    images: list[PageImage]
    picks: list[int]
    pipe: int
    engine: BareEngine


def run(
    images: list[PageImage],
    picks: list[int],
    processes: int,
    engine: BareEngine = "tesseract",
    meter: machine.CpuMeter | None = None,
) -> Result:
    """Read `images[i] for i in picks`, each once, with this many processes. `meter` begins when all are warm."""
    if len(picks) > _MOST:
        raise ValueError(f"at most {_MOST} pictures in one go")
    take, give = os.pipe()
    env = {**os.environ, "OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1"}
    children: list[child.Child] = []
    try:
        plan = _Plan(images, picks, take, engine)
        children += [child.Child(__name__, plan, env, (take,)) for _ in range(processes)]
        for started in children:
            started.wait_ready()
        if meter:
            meter.begin()
        os.write(give, b"".join(_NUMBER.pack(number) for number in range(len(picks))))
        os.close(give)
        give = -1
        for started in children:
            started.go()
        results: list[Result] = [started.result() for started in children]
    finally:
        for started in children:
            started.close()
        os.close(take)
        if give >= 0:
            os.close(give)
    readings = [reading for result in results for reading in result.readings]
    return Result(sorted(readings), sum(result.cpu_seconds for result in results))


def prepare(plan: _Plan) -> Callable[[], Result]:
    from service_kit.page import text_of  # noqa: PLC0415 - only the child needs it

    machine.schedule_as_worker()
    read = warm_engine(plan.engine, plan.images)

    def work() -> Result:
        readings: list[Reading] = []
        cpu = time.process_time()
        while len(taken := os.read(plan.pipe, _NUMBER.size)) == _NUMBER.size:
            (number,) = _NUMBER.unpack(taken)
            began, used = time.monotonic(), time.process_time()
            words = read(plan.images[plan.picks[number]])
            ended, used = time.monotonic(), time.process_time() - used
            readings.append(Reading(number, began, ended, used, text_of(words)))
        return Result(readings, time.process_time() - cpu)

    return work


def warm_engine(name: BareEngine, images: list[PageImage]) -> Callable[[PageImage], list[Word]]:
    """An initialised engine that has read some of the images."""
    return _neural(images) if name == "neural" else _tesseract(images)


def _tesseract(images: list[PageImage]) -> Callable[[PageImage], list[Word]]:
    from model_server.reading.engines.tesserocr_engine import TesserocrEngine  # noqa: PLC0415 - only the child needs it
    from service_kit.page import Parameters  # noqa: PLC0415

    engine = TesserocrEngine(Path(sys.prefix) / "share" / "tessdata")
    parameters = Parameters()
    engine.read(min(images, key=lambda image: len(image.pixels)), parameters)
    return lambda image: engine.read(image, parameters)


def _neural(images: list[PageImage]) -> Callable[[PageImage], list[Word]]:
    from model_server.reading.choice import read_neural  # noqa: PLC0415 - only the child needs it
    from model_server.reading.engines.neural.engine import NeuralEngine  # noqa: PLC0415
    from service_kit.page import Parameters  # noqa: PLC0415

    engine = NeuralEngine()
    languages = Parameters().languages
    for image in images:  # the first picture of each size takes longer: kernels are made for its shapes
        read_neural(engine, image, languages)
    return lambda image: read_neural(engine, image, languages).words
