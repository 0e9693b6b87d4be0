"""Kills, stops and restarts the processes of a fleet, as the plan says."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from scripts.chaos.plan import Act, Deed, Part, act
from tests.faults.fleet import Fleet, Member
from tests.jobs.postgres import PostgresServer

_ENDS: tuple[Deed, ...] = ("kill", "restart")
_SLOWER_ALONE = 2.5  # pauses with SQLite, where each act but those on the model server stops everything


@dataclass
class Disturbance:
    """What was done; times are seconds since 1970."""

    part: Part
    name: str
    deed: Deed
    began: float
    ended: float


class Killer:
    def __init__(self, fleet: Fleet, database: PostgresServer | None, seed: str) -> None:
        self.done: list[Disturbance] = []
        self._fleet, self._database = fleet, database
        self._rng = Random(f"{seed} acts")  # noqa: S311 - a fixed seed
        self._parts: dict[Part, list[Member]] = {"gateway": fleet.gateways, "model": fleet.models}
        if database:
            self._parts |= {"worker": fleet.workers, "database": []}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._disturbed: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._is_database_down = False
        self.failure: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No more of it, and every process runs again."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._next()
            while not self._ended.is_set():
                when, _, do = heapq.heappop(self._due)
                if self._ended.wait(max(0.0, when - time.monotonic())):
                    heapq.heappush(self._due, (when, -1, do))
                    break
                do()
        except Exception as error:  # noqa: BLE001 - the run reports it
            self.failure = error
        if self._database:
            self._database.thaw()
            if self._is_database_down:
                self._database.start()
        self._fleet.whole()
        for one in self.done:
            one.ended = min(one.ended, time.time())

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time.monotonic() + seconds, len(self.done), do))

    def _next(self) -> None:
        found = act(self._rng, frozenset(self._parts))
        self._later(found.pause * (1 if self._database else _SLOWER_ALONE), self._next)
        target = self._target(found)
        name = target.name if isinstance(target, Member) else "database"
        if target is None or name in self._disturbed:
            return
        began = time.time()
        done = Disturbance(found.part, name, found.deed, began, began + found.seconds)
        self.done.append(done)
        self._disturbed.add(name)
        self._begin(found, target)
        self._later(found.seconds, lambda: self._end(done, target))

    def _target(self, found: Act) -> Member | PostgresServer | None:
        if found.part == "database":
            return self._database
        members = self._parts[found.part]
        return members[found.which % len(members)]

    def _begin(self, found: Act, target: Member | PostgresServer) -> None:
        if isinstance(target, PostgresServer):
            self._is_database_down = found.deed in _ENDS
        elif not target.runs:
            target.start()  # it has ended by itself: its log says why
        if found.deed == "kill":
            target.kill()
        elif found.deed == "restart":
            target.stop()
        elif isinstance(target, PostgresServer):
            target.freeze()
        else:
            target.pause()

    def _end(self, done: Disturbance, target: Member | PostgresServer) -> None:
        self._disturbed.discard(done.name)
        if done.deed in _ENDS:
            target.start()
        elif isinstance(target, PostgresServer):
            target.thaw()
        else:
            target.resume()
        if isinstance(target, PostgresServer):
            self._is_database_down = False
        done.ended = time.time()
