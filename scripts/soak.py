"""`python -m scripts.soak --minutes M`: runs both services under mixed pictures and faults.

Fails when a service grew by more than a tenth, when the client's count, the access log and the counters
disagree, or when the services are not in their initial state at the end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.faults import engines
from tests.faults.engines import Fault
from tests.faults.pair import KNOWN, Pair, metrics, png
from tests.faults.wire import Wire, multipart, upload_head
from tests.pictures import formats, render

CLIENTS = 3  # one more than the workers, so that pages wait
WARM_UP = 0.25  # share of the time: caches fill, allocators settle
MOST_GROWTH = 0.10
MIB = 1 << 20
_LOOK_SECONDS = 0.5

Act = Callable[[Pair], None]


def acts() -> list[tuple[int, str, Act]]:
    """Client actions: weight, name, function."""
    sizes = [png(render.label(2)), png(render.page(2)), png(render.a4(2, dpi=150))]
    odd = [
        formats.FORMATS[name].encode(render.label(3))
        for name in ("jpeg cmyk", "tiff group 4", "webp lossy", "heic")
    ]
    budget = {"x-request-timeout": "0.5"}
    return [
        (40, "a label", lambda pair: _read(pair, KNOWN)),
        (12, "another label", lambda pair: _read(pair, sizes[0])),
        (8, "a page", lambda pair: _read(pair, sizes[1])),
        (2, "a sheet of A4", lambda pair: _read(pair, sizes[2])),
        *((2, "another format", lambda pair, data=data: _read(pair, data)) for data in odd),
        (4, "no picture", lambda pair: _read(pair, b"no picture")),
        (4, "half a picture", lambda pair: _read(pair, KNOWN[: len(KNOWN) // 2])),
        (3, "an unknown language", lambda pair: _read(pair, KNOWN, "?languages=xyz")),
        (3, "too much", _too_much),
        (3, "gone in mid-body", _gone_in_body),
        (2, "gone in mid-page", _gone_in_page),
        (1, "a segfault", lambda pair: _read(pair, engines.picture(Fault.SEGFAULT))),
        (1, "a hang", lambda pair: _read(pair, engines.picture(Fault.SLEEP), headers=budget)),
        (1, "a leak", lambda pair: _read(pair, engines.picture(Fault.LEAK))),
    ]


def _read(pair: Pair, picture: bytes, query: str = "", headers: dict[str, str] | None = None) -> None:
    pair.read(picture, query, headers)


def _too_much(pair: Pair) -> None:
    with Wire(pair.gateway.port, upload_head(50 * MIB)) as wire:
        pair.gateway.count(wire.answer().code)


def _gone_in_body(pair: Pair) -> None:
    """The pause lets the request start: a connection reset before the head is read is not a request."""
    body = multipart(KNOWN)
    with Wire(pair.gateway.port, upload_head(len(body)), body[:100]) as wire:
        time.sleep(0.3)
        wire.reset()
    pair.gateway.count("client_gone")


def _gone_in_page(pair: Pair) -> None:
    with Wire(pair.gateway.port, *pair.upload(engines.slow(3))) as wire:
        time.sleep(0.3)
        wire.reset()
    pair.gateway.count("client_gone")


class Soak:
    """Clients with random actions (fixed seeds), and the memory of the parent processes over time."""

    def __init__(self, pair: Pair, seconds: float) -> None:
        self._pair = pair
        self._seconds = seconds
        self._ended = threading.Event()
        self._broken: list[str] = []
        self.done: Counter[str] = Counter()
        self.warm: dict[str, int] = {}
        self.last: dict[str, int] = {}

    def run(self, console: Console) -> list[str]:
        """Run the clients; returns their failures."""
        threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        began = time.monotonic()
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=self._seconds)
            for thread in threads:
                thread.start()
            while (spent := time.monotonic() - began) < self._seconds and not self._broken:
                self.last = self._memory()
                if spent >= WARM_UP * self._seconds and not self.warm:
                    self.warm = self.last
                progress.update(
                    task, completed=spent, description=f"{self.done.total()} requests, {_mib(self.last)}"
                )
                time.sleep(_LOOK_SECONDS)
            self._ended.set()
            for thread in threads:
                thread.join()
        self.last = self._memory()
        return self._broken

    def _client(self, number: int) -> None:
        rng = Random(number)  # noqa: S311 - a fixed seed
        choices = acts()
        weights = [weight for weight, _, _ in choices]
        while not self._ended.is_set():
            _, name, act = rng.choices(choices, weights)[0]
            try:
                act(self._pair)
            except Exception as error:  # noqa: BLE001 - reported as a failure
                self._broken.append(f"{name}: {error!r}")
                return
            self.done[name] += 1

    def _memory(self) -> dict[str, int]:
        return {
            watched.service.module: psutil.Process(watched.pid).memory_info().rss
            for watched in self._pair.services
        }


def _mib(memory: dict[str, int]) -> str:
    return ", ".join(f"{name} {size / MIB:.0f} MiB" for name, size in memory.items())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.soak", description="Soak both services.")
    parser.add_argument("--minutes", type=float, default=5)
    seconds = 60 * parser.parse_args().minutes
    console = Console()
    with tempfile.TemporaryDirectory() as folder, Pair(Path(folder)).running() as pair:
        pair.begin()
        soak = Soak(pair, seconds)
        failures = [f"a client failed: {text}" for text in soak.run(console)]
        try:
            pair.check_whole()
        except AssertionError as error:
            failures.append(f"not in the initial state at the end: {error}")
        failures += _report(console, soak, pair)
    for failure in failures:
        console.print(f"FAILED {failure}", style="red", markup=False)
    return 1 if failures else 0


def _report(console: Console, soak: Soak, pair: Pair) -> list[str]:
    table = Table("service", "after warm-up", "end", "growth")
    failures = []
    for name, warm in soak.warm.items():
        growth = soak.last[name] / warm - 1
        table.add_row(name, f"{warm / MIB:.1f} MiB", f"{soak.last[name] / MIB:.1f} MiB", f"{growth:+.1%}")
        if growth > MOST_GROWTH:
            failures.append(f"{name} grew by {growth:.1%}")
    console.print(table)
    outcomes = Table("outcome", "client", "access log")
    logged = Counter(str(line["outcome"]) for line in pair.gateway.new_access())
    for outcome in sorted(logged | pair.gateway.counted):
        outcomes.add_row(outcome, str(pair.gateway.counted[outcome]), str(logged[outcome]))
    console.print(outcomes)
    restarts = {key: int(n) for key, n in metrics(pair.model.service).items() if "restarts_total" in key and n}
    console.print(f"{soak.done.total()} requests; workers replaced: {restarts}", markup=False)
    return failures


if __name__ == "__main__":
    sys.exit(main())
