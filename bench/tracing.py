"""`python -m bench.tracing`: what traces cost: off, at 10 %, at 100 %, and before (`--before TREE`).

All subjects run at once, and take turns of a few requests, so that disturbances of the machine hit all of them.
The cost of a trace is CPU time of the gateway's and the model server's own processes; workers and the collector
of this benchmark do not count. Small pages show the cost; its share of a page is what counts.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import math
import signal
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import subjects
from bench.subjects import BrokenRun, Stack
from bench.workloads import NAMES, workload
from scripts import services
from tests.traces.otlp import collecting

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE = 20  # requests of a turn
_OK = 200


@dataclass
class Traced:
    """A pair of services, and what each turn cost: ms of CPU of the two processes, and of time, for a page."""

    name: str
    stack: Stack
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def turn(self, requests: list[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.stack.gateway.port, timeout=120)
        connection.connect()
        before, began = self._cpu(), time.monotonic()
        for number in range(_AT_ONCE):
            connection.sock.sendall(requests[number % len(requests)])
            answer = http.client.HTTPResponse(connection.sock)
            answer.begin()
            body = answer.read()
            if answer.status != _OK:
                raise BrokenRun(f"{self.name}: {answer.status} {body[:200]!r}")
        self.wall.append(1e3 * (time.monotonic() - began) / _AT_ONCE)
        self.cpu.append(1e3 * (self._cpu() - before) / _AT_ONCE)
        connection.close()

    def _cpu(self) -> float:
        return _cpu_seconds(self.stack.gateway.pid) + _cpu_seconds(self.stack.model.pid)

    def resident_mib(self) -> list[float]:
        return [_resident(pid) for pid in (self.stack.gateway.pid, self.stack.model.pid)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--before", type=Path, help="a work tree of a commit without traces")
    parser.add_argument("--pages", nargs="+", default=["label", "page"], choices=NAMES, help="workloads")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # stops the services, too
    with contextlib.ExitStack() as opened:
        collector = opened.enter_context(collecting())
        standard = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_TRACES_SAMPLER": "traceidratio"}
        plans: dict[str, tuple[dict[str, str], Path | None]] = {"off": ({}, None)}
        if options.before:
            plans["before"] = {}, options.before
        plans["10 %"] = {**standard, "OTEL_TRACES_SAMPLER_ARG": "0.1"}, None
        plans["100 %"] = {**standard, "OTEL_TRACES_SAMPLER_ARG": "1"}, None
        # The model server follows the gateway's decision.
        found = [Traced(name, opened.enter_context(_started(*plan))) for name, plan in plans.items()]
        for name in options.pages:
            _measure(name, found, options.rounds)
        for one in found:
            print(f"{one.name}: resident MiB of gateway and model server: {one.resident_mib()}")


def _measure(name: str, found: list[Traced], rounds: int) -> None:
    requests = [found[0].stack.service.request(image) for image in workload(name).images]
    for one in found:
        one.turn(requests)  # warm
        one.cpu.clear()
        one.wall.clear()
    for number in range(rounds):
        first = number % len(found)
        for one in found[first:] + found[:first]:
            one.turn(requests)
    base = found[0]
    print(f"\n| {name} | ms of CPU, gateway and model server | ms for a page | more CPU than off, of the page |")
    print("|---|---|---|---|")
    for one in found:
        each = [mine - other for mine, other in zip(one.cpu, base.cpu, strict=True)]
        more, error = statistics.fmean(each), statistics.stdev(each) / math.sqrt(len(each))
        share = more / statistics.median(base.wall)
        print(
            f"| {one.name} | {statistics.median(one.cpu):.2f} | {statistics.median(one.wall):.2f} "
            f"| {more:+.3f} ± {error:.3f} ms, {share:+.2%} |",
            flush=True,
        )


@contextlib.contextmanager
def _started(env: dict[str, str], tree: Path | None) -> Iterator[Stack]:
    quiet = {"LOG_LEVEL": "error", "SHUTDOWN_DELAY_SECONDS": "0"}
    model_env = {
        f"MODEL_SERVER_{name}": value for name, value in {**quiet, "WORKERS": "1", "NEURAL": "false"}.items()
    }
    model = services.model_server({**model_env, **env, "OTEL_TRACES_SAMPLER": "parentbased_always_off"})
    gateway = services.api_gateway(model.url, {**{f"API_GATEWAY_{k}": v for k, v in quiet.items()}, **env})
    for one in (model, gateway):
        one.prefix = ["env", "-C", str(tree.resolve())] if tree else []
    with model, gateway:
        subjects.wait_for_workers(model)
        yield Stack(model, gateway)


def _cpu_seconds(pid: int) -> float:
    """By the scheduler's own clock, because that of `psutil` has steps of 10 ms."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 1)


if __name__ == "__main__":
    main()
