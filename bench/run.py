"""One run: its options, its running services, and the measurements that all figures share."""

from __future__ import annotations

import contextlib
import math
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import limit, load, machine, pairs, subjects
from bench.subjects import BrokenRun
from bench.workloads import workload
from model_server.cpus import allowed_cpus
from tests.pictures.accuracy import character_error_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.progress import Progress

    from bench.limit import BareEngine
    from bench.subjects import Stack, Subject
    from service_kit.page import EngineName

_WORST_ERROR_RATE = 0.1  # of characters, compared with the drawn text; builds of Tesseract differ slightly
_OK = 200


@dataclass(frozen=True)
class Options:
    short: bool = False
    rounds: int = 5
    without_usual: bool = False


@dataclass(frozen=True)
class Measured:
    """One subject in one round. `cpu_ms` is CPU time per picture, by group of processes."""

    pictures: int
    per_second: float
    cpu_ms: dict[str, float]
    foreign: float
    seconds: list[float]


@dataclass(frozen=True)
class Reference:
    """The bare engine's text of each image of a workload, and its time."""

    texts: list[str]
    seconds: list[float]
    cpu_seconds: list[float]


@dataclass
class Run:
    options: Options
    progress: Progress
    cores: int = field(default_factory=allowed_cpus)
    foreign: list[float] = field(default_factory=list)
    _references: dict[tuple[str, BareEngine], Reference] = field(default_factory=dict)
    _stack: Stack | None = None
    _opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        self._figure = self.progress.add_task("", total=None, visible=False, what="")

    @property
    def saturating(self) -> int:
        """Number of clients that keeps every worker busy with pictures waiting."""
        return 4 * self.cores

    def close(self) -> None:
        self._opened.close()

    def steps(self, title: str, total: int) -> None:
        """Begin a figure of `total` measurements."""
        self.progress.reset(self._figure, description=title, total=total, visible=True, what="")

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        self.progress.update(self._figure, what=what)
        yield
        self.progress.advance(self._figure)

    def stack(self) -> Stack:
        """Both services, started at first use and kept running: they use no CPU when idle."""
        if self._stack is None:
            self._stack = self._opened.enter_context(self.fresh_stack())
        return self._stack

    @contextlib.contextmanager
    def fresh_stack(self, engine: EngineName = "tesseract") -> Iterator[Stack]:
        with tempfile.TemporaryDirectory(prefix="bench-") as logs, subjects.stack(Path(logs), engine) as started:
            yield started

    def reference(self, name: str, engine: BareEngine = "tesseract") -> Reference:
        """Read each image once with the bare engine.

        Raises:
            BrokenRun: the engine misreads a picture.
        """
        if (name, engine) not in self._references:
            images = workload(name).images
            result = limit.run([image.grey for image in images], list(range(len(images))), 1, engine)
            texts = [reading.text for reading in result.readings]
            for image, text in zip(images, texts, strict=True):
                check_against_drawn(image.text, text, f"the bare {engine} engine, {name}")
            seconds = [reading.ended - reading.began for reading in result.readings]
            cpu_seconds = [reading.cpu for reading in result.readings]
            self._references[name, engine] = Reference(texts, seconds, cpu_seconds)
        return self._references[name, engine]

    def count(self, name: str, seconds: float, engine: BareEngine = "tesseract") -> int:
        """Number of pictures for about `seconds` of the bare engines: a multiple of the workload's list."""
        work = workload(name)
        each = self.reference(name, engine).seconds
        mean = statistics.mean(each[pick] for pick in work.order)
        turn = math.lcm(len(work.order), self.cores)
        return max(1, round(seconds * self.cores / mean / turn)) * turn

    def limit(self, name: str, count: int, engine: BareEngine = "tesseract") -> Measured:
        """Measure the bare engines, one process per core."""
        work = workload(name)
        meter = machine.CpuMeter()
        result = limit.run([image.grey for image in work.images], work.picks(count), self.cores, engine, meter)
        use = meter.stop(engine=result.cpu_seconds)
        seconds = [reading.ended - reading.began for reading in result.readings]
        return self.measured(count, result.wall_seconds, use, seconds)

    def closed(
        self,
        subject: Subject,
        name: str,
        count: int,
        clients: int,
        *,
        engine: BareEngine = "tesseract",
        exact: bool = True,
    ) -> Measured:
        """Measure a closed loop of clients, and check each answer.

        Raises:
            BrokenRun: an error, or a wrong text: if `exact`, any difference from the bare engine's text, otherwise
                too many differences from the drawn text.
        """
        work = workload(name)
        target = load.Target(subject.port, subjects.requests(subject, work))
        meter = machine.CpuMeter(subject.cpu_seconds)
        result = load.run(load.Plan(target, work.picks(count), clients, patience=600))
        use = meter.stop(generator=result.cpu_seconds)
        self.check(subject, name, result.samples, engine=engine, exact=exact)
        return self.measured(count, result.wall_seconds, use, [sample.seconds for sample in result.samples])

    def paired(
        self, subject: Subject, name: str, seconds: float, engine: BareEngine = "tesseract"
    ) -> list[pairs.Pair]:
        """Measure a bare engine and one client of an idle service alternately, each for about `seconds`.

        Raises:
            BrokenRun: an error, or another text than the bare engine's.
        """
        work = workload(name)
        mean = statistics.mean(self.reference(name, engine).seconds)
        count = max(4, min(100, round(seconds / mean)))
        target = load.Target(subject.port, subjects.requests(subject, work))
        plan = pairs.Plan([image.grey for image in work.images], target, work.picks(count), engine)
        meter = machine.CpuMeter(subject.cpu_seconds)
        result = pairs.run(plan, meter)
        self.foreign.append(meter.stop(engine=result.cpu_seconds).foreign)
        self.check(subject, name, result.pairs, engine=engine)
        return result.pairs

    def check(
        self,
        subject: Subject,
        name: str,
        samples: Sequence[load.Sample | pairs.Pair],
        *,
        engine: BareEngine = "tesseract",
        exact: bool = True,
    ) -> None:
        work = workload(name)
        reference = self.reference(name, engine)
        for sample in samples:
            where = f"{subject.name}, {name}"
            if sample.status != _OK:
                raise BrokenRun(f"{where}: answered {sample.status}: {sample.body[:300]!r}")
            text = subject.text(sample.body)
            if not exact:
                check_against_drawn(work.images[sample.pick].text, text, where)
            elif text != reference.texts[sample.pick]:
                raise BrokenRun(f"{where}: the text differs from the bare {engine} engine's: {text[:300]!r}")

    def measured(self, count: int, wall: float, use: machine.CpuUse, seconds: list[float]) -> Measured:
        self.foreign.append(use.foreign)
        cpu_ms = {name: 1e3 * used / count for name, used in use.by_process.items()}
        return Measured(count, count / wall, cpu_ms, use.foreign, seconds)


def interleave(
    run: Run, rounds: int, turns: dict[str, Callable[[], Measured]], title: str
) -> dict[str, list[Measured]]:
    """Measure each subject once per round; each round starts with a different one."""
    run.steps(title, rounds * len(turns))
    names = list(turns)
    measured: dict[str, list[Measured]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            with run.step(name):
                measured[name].append(turns[name]())
    return measured


def check_against_drawn(drawn: str, text: str, where: str) -> None:
    if (rate := character_error_rate(drawn, text)) > _WORST_ERROR_RATE:
        raise BrokenRun(f"{where}: {rate:.0%} of the characters are wrong: {text[:300]!r}")
