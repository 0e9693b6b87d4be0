"""Description of the machine, and CPU time by process."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from model_server.cpus import allowed_cpus
from service_kit import child_main

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOT = Path(__file__).resolve().parents[1]


def describe() -> dict[str, Any]:
    return {
        "cpu": _cpu_model(),
        "cores": allowed_cpus(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def commit() -> str:
    """The current commit, marked if files differ from it; "unknown" outside a repository."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


@dataclass(frozen=True)
class CpuUse:
    """CPU use of one measurement: `by_process` in CPU seconds; `foreign` is the share of other processes."""

    by_process: dict[str, float]
    foreign: float


class CpuMeter:
    """CPU time of the measured processes and of the whole machine, from construction or `begin` to `stop`.

    `account` gives CPU seconds since each group of processes started.
    """

    def __init__(self, account: Callable[[], dict[str, float]] = dict) -> None:
        self._account = account
        self.begin()

    def begin(self) -> None:
        self._began = time.monotonic()
        self._before = self._account()
        self._busy_before = _busy_seconds()

    def stop(self, **known: float) -> CpuUse:
        """`known` gives CPU seconds, by name, of processes that ended in the meantime."""
        busy = _busy_seconds() - self._busy_before
        wall = time.monotonic() - self._began
        used = {name: seconds - self._before[name] for name, seconds in self._account().items()} | known
        foreign = (busy - sum(used.values())) / (wall * (os.cpu_count() or 1))
        return CpuUse(used, max(0.0, foreign))


def own_cpu(pid: int) -> float:
    """CPU seconds of the process itself; 0 if it ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def children_cpu(pid: int) -> float:
    """CPU seconds of all its children, including ended ones that were waited for."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        running = [child.pid for child in process.children()]
    except psutil.NoSuchProcess:
        return 0.0
    return (
        times.children_user
        + times.children_system
        + sum(own_cpu(child) + children_cpu(child) for child in running)
    )


def schedule_as_worker() -> None:
    """Give this process the priority of the services' workers.

    All engines then get the same share of a machine that other processes use too.
    """
    child_main.step_back()  # the same code as in the workers


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    steal: float = getattr(times, "steal", 0.0)
    return times.user + times.nice + times.system + getattr(times, "irq", 0) + getattr(times, "softirq", 0) + steal
