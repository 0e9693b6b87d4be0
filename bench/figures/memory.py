"""Memory of each process after 100 and after 2,000 pictures, and over time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import psutil

from bench import load, subjects
from bench.workloads import workload

if TYPE_CHECKING:
    from bench.run import Run
    from bench.subjects import Stack

_FEW, _MANY = 100, 2000
_SHORT_FEW, _SHORT_MANY = 20, 100
_BATCH = 100
_SETTLE_SECONDS = 1.0
_EVERY_SECONDS = 0.5
_MIB = 2**20


def measure(run: Run) -> dict[str, Any]:
    """Resident memory in MiB of freshly started services that read the mix with `auto`, the default engine."""
    short = run.options.short
    few, many = (_SHORT_FEW, _SHORT_MANY) if short else (_FEW, _MANY)
    name = "label" if short else "mix"
    batches = [few, *[min(_BATCH, many - done) for done in range(few, many, _BATCH)]]
    run.steps("Memory", len(batches))
    with run.fresh_stack("auto") as stack:
        log = _Log(stack)
        idle = _settled(stack)
        log.start()
        settled: dict[int, dict[str, Any]] = {}
        done = 0
        try:
            for batch in batches:
                with run.step(f"{done} of {many}"):
                    _read(run, stack, name, done, batch)
                done += batch
                settled[done] = _settled(stack)
        finally:
            log.stop()
    total = {count: sum(sizes["rss"].values()) for count, sizes in settled.items()}
    return {
        "workload": name,
        "few": few,
        "many": many,
        "idle": idle,
        "after_few": settled[few],
        "after_many": settled[many],
        "ratio": total[many] / total[few],
        "settled_total": {str(count): size for count, size in total.items()},
        "timeline": log.points,
    }


def _read(run: Run, stack: Stack, name: str, done: int, batch: int) -> None:
    """Send the next `batch` of the workload's pictures and check each answer.

    The neural engine may read lines of them otherwise than Tesseract does.
    """
    work = workload(name)
    target = load.Target(stack.service.port, subjects.requests(stack.service, work))
    result = load.run(load.Plan(target, work.picks(done + batch)[done:], run.saturating))
    run.check(stack.service, name, result.samples, exact=False)


def _settled(stack: Stack) -> dict[str, Any]:
    """Memory of each process while idle: resident (rss), and proportional (pss)."""
    time.sleep(_SETTLE_SECONDS)
    processes = {
        "gateway": stack.gateway.pid,
        "model server": stack.model.pid,
        **{f"worker {number}": pid for number, pid in enumerate(sorted(stack.workers()), 1)},
    }
    sizes = {name: psutil.Process(pid).memory_full_info() for name, pid in processes.items()}
    return {
        "rss": {name: size.rss / _MIB for name, size in sizes.items()},
        "pss": {name: getattr(size, "pss", size.rss) / _MIB for name, size in sizes.items()},
    }


class _Log(threading.Thread):
    """Resident memory by group of processes, twice a second."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._ended = threading.Event()
        self.points: list[dict[str, float]] = []

    def run(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(_EVERY_SECONDS):
            point = {"seconds": round(time.monotonic() - began, 2)}
            for name, pids in self._stack.groups().items():
                point[name] = round(sum(map(_rss, pids)), 1)
            self.points.append(point)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _rss(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss) / _MIB
    except psutil.NoSuchProcess:
        return 0.0
