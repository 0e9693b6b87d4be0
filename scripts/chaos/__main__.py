"""`make chaos`: jobs under random kills and stops of every process, and what must hold at the end.

Both stores are tried at the same time, each with its own processes.
Everything listens on 127.0.0.1. The logs are kept if a promise was broken.
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from scripts.chaos import checks
from scripts.chaos.clients import Client, Found
from scripts.chaos.killer import Disturbance, Killer
from scripts.chaos.plan import LEASE_SECONDS, TTL_SECONDS, Handed
from tests.faults.fleet import KEYS, STORES, Fleet, StoreName
from tests.faults.receiver import Receiver, receiving
from tests.jobs.postgres import PostgresServer, postgres_server

SETTLE_SECONDS = 180.0  # after the last act: until all jobs have ended and all webhooks have arrived
EXPIRY_SECONDS = TTL_SECONDS + 120.0  # 30 s for downloads, 22 s until the next sweep, and a margin
_POLL_SECONDS = 0.5
_SHOWN = 20  # violations
_SETTINGS = {"JOBS_LEASE_SECONDS": f"{LEASE_SECONDS:g}", "MAX_DOCUMENT_MIB": "8"}


class Run:
    """One store."""

    def __init__(
        self, fleet: Fleet, database: PostgresServer | None, url: str | None, receiver: Receiver, seed: str
    ) -> None:
        self.found = Found()
        self.killer = Killer(fleet, database, seed)
        self.again = 0
        self._fleet, self._url, self._receiver = fleet, url, receiver
        ports = [gateway.port for gateway in fleet.gateways]
        self.clients = [Client(name, seed, ports, receiver.url(), self.found) for name in KEYS]

    def run(self, seconds: float, say: Callable[[str], None]) -> list[str]:
        """The violations."""
        try:
            for client in self.clients:
                client.start()
            self.killer.start()
            end = time.monotonic() + seconds
            while time.monotonic() < end and not self.found.broken and not self.killer.failure:
                time.sleep(_POLL_SECONDS)
                say(f"{len(self._handed())} jobs, {len(self.killer.done)} acts")
            self.killer.stop()
            if self.killer.failure:
                raise self.killer.failure
            say("settling")
            for client in self.clients:
                client.hand_no_more_in()
            self._until(lambda: not any(client.outstanding() for client in self.clients), SETTLE_SECONDS)
            self._until(self._all_arrived, SETTLE_SECONDS)
        finally:
            for client in self.clients:
                client.stop()
        return [*self.found.broken, *self._unended(), *self._at_the_end(say)]

    def _handed(self) -> list[Handed]:
        return [one for client in self.clients for one in client.handed]

    def _all_arrived(self) -> bool:
        return all(self._receiver.arrived(one.job) for one in self._handed())

    def _unended(self) -> Iterable[str]:
        return [
            f"each 202 has a final state: {one.job} is {one.status}, {one.done} of {one.pages} pages"
            for client in self.clients
            for one in client.outstanding()
        ]

    def _at_the_end(self, say: Callable[[str], None]) -> list[str]:
        handed = self._handed()
        self.again, broken = checks.read_again(handed, self._fleet.pages.begun_at(), self._reread_by())
        say("waiting for expiry")
        self._until(lambda: not checks.left_over(self._fleet), EXPIRY_SECONDS)
        return [
            *checks.webhooks(handed, self._receiver),
            *broken,
            *checks.left_over(self._fleet),
            *checks.logs(self._fleet),
        ]

    def _reread_by(self) -> list[Disturbance]:
        """With PostgreSQL, a gateway that dies has no pages in flight."""
        return [one for one in self.killer.done if one.part != "gateway" or not self._url]

    @staticmethod
    def _until(true: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not true() and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)

    def report(self, store: StoreName, console: Console) -> None:
        handed = self._handed()
        table = Table(store, "number")
        states = Counter(one.status or "unknown" for one in handed)
        table.add_row("jobs, by state", ", ".join(f"{state} {count}" for state, count in states.items()))
        table.add_row("pages", str(sum(one.pages for one in handed)))
        table.add_row("pages read again", str(self.again))
        acts = Counter(f"{one.part} {one.deed}" for one in self.killer.done)
        table.add_row("acts", ", ".join(f"{name} {count}" for name, count in sorted(acts.items())))
        tries = len(self._receiver.deliveries)
        table.add_row("webhooks", f"{tries} attempts, {len({one.id for one in self._receiver.deliveries})} ids")
        table.add_row(
            "answers", ", ".join(f"{name} {count}" for name, count in sorted(self.found.answers.items()))
        )
        console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.chaos", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--store", choices=[*STORES, "both"], default="both")
    parser.add_argument("--seed", default="")
    options = parser.parse_args()
    console = Console()
    stores = STORES if options.store == "both" else (options.store,)
    seed = options.seed or secrets.token_hex(4)
    console.print(f"{' and '.join(stores)}, {options.minutes:g} minutes, SEED={seed}", highlight=False)
    said: dict[StoreName, str] = {}
    with console.status("") as status, ThreadPoolExecutor(len(stores)) as pool:

        def one(store: StoreName) -> int:
            def say(text: str) -> None:
                said[store] = f"{store}: {text}"
                status.update("; ".join(said.values()))

            return _one(store, 60 * options.minutes, seed, console, say)

        lost = sum(pool.map(one, stores))
    return 1 if lost else 0


def _one(store: StoreName, seconds: float, seed: str, console: Console, say: Callable[[str], None]) -> int:
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{store}-"))
    broken: list[str] = ["the run itself: it did not end"]
    try:
        with contextlib.ExitStack() as opened:
            database = opened.enter_context(postgres_server(durable=True)) if store == "postgres" else None
            url = database.create() if database else None
            receiver = opened.enter_context(receiving())
            receiver.answers = _fails_at_first(seed)
            many = 2 if database else 1
            fleet = Fleet(folder, store, url, gateways=many, workers=many, models=many, gateway=_SETTINGS)
            opened.enter_context(fleet.running())
            run = Run(fleet, database, url, receiver, seed)
            broken = run.run(seconds, say)
            run.report(store, console)
    finally:
        _verdict(store, broken, folder, seed, console)
    return len(broken)


def _fails_at_first(seed: str) -> Callable[[str, int], int]:
    rng = Random(f"{seed} receiver")  # noqa: S311 - a fixed seed
    return lambda _path, times: 204 if times or rng.random() < 0.7 else rng.choice((500, 503, 302))


def _verdict(store: str, broken: list[str], folder: Path, seed: str, console: Console) -> None:
    if not broken:
        shutil.rmtree(folder)
        console.print(f"{store}: every promise held", style="green")
        return
    for text in broken[:_SHOWN]:
        console.print(text, markup=False, highlight=False)
    promise = broken[0].partition(":")[0]
    console.print(
        f"{store}: BROKEN: {promise} ({len(broken)} violations); logs in {folder}; SEED={seed}", style="red"
    )


if __name__ == "__main__":
    sys.exit(main())
