"""What a run does, all of it drawn from one seed: each client's documents, and what happens to the processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal

from tests.faults.fleet import KEYS
from tests.faults.numbered import Kind, sizes

LEASE_SECONDS = 3.0
TTL_SECONDS = 30.0
OUTSTANDING = 12  # jobs of a client without a final state
MOST_PAGES = 300
_PAGE_SECONDS = (0.0, 0.0, 0.02, 0.1)

Part = Literal["gateway", "worker", "model", "database"]
Deed = Literal["kill", "restart", "short stop", "long stop"]

# How often; with SQLite there are no parts `worker` and `database`.
_WEIGHTS: dict[tuple[Part, Deed], int] = {
    ("worker", "kill"): 8,
    ("worker", "restart"): 3,
    ("worker", "short stop"): 3,
    ("worker", "long stop"): 4,
    ("gateway", "kill"): 5,
    ("gateway", "restart"): 2,
    ("gateway", "short stop"): 2,
    ("gateway", "long stop"): 1,
    ("model", "kill"): 3,
    ("model", "short stop"): 2,
    ("database", "kill"): 4,
    ("database", "restart"): 1,
    ("database", "short stop"): 2,
}


@dataclass(frozen=True)
class Act:
    """Something that happens to a process; `seconds` is how long it is dead or stopped."""

    part: Part
    which: int  # any number: the process is the remainder
    deed: Deed
    seconds: float
    pause: float  # until the next one


def act(rng: Random, parts: frozenset[Part]) -> Act:
    """The next one for a run with these parts."""
    known = {pair: weight for pair, weight in _WEIGHTS.items() if pair[0] in parts}
    part, deed = rng.choices(list(known), list(known.values()))[0]
    seconds = {
        "kill": rng.choice((0.0, rng.uniform(0, 2))),
        "restart": 0.0,
        "short stop": rng.uniform(0.2, 0.7) * LEASE_SECONDS,
        "long stop": rng.uniform(1.3, 2.2) * LEASE_SECONDS,
    }[deed]
    return Act(part, rng.randrange(1 << 16), deed, seconds, rng.uniform(1.5, 5.0))


@dataclass
class Handed:
    """A document that a client hands in, and all that the client sees of its job."""

    number: int
    name: str  # of the key
    kind: Kind
    pages: int
    seconds: float  # of each page
    job: str = ""
    status: str = ""
    done: int = 0
    ended: float = 0.0  # monotonic: when the final state was seen
    expires: float = 0.0  # since 1970, as the service says
    right: bool = False  # the result was looked at

    @property
    def idempotency_key(self) -> str:
        return f"{self.name}-{self.number}"


@dataclass
class Documents:
    """The documents of one client; numbers of different clients differ."""

    seed: str
    name: str
    _count: int = 0
    _rng: Random = field(init=False)

    def __post_init__(self) -> None:
        self._rng = Random(f"{self.seed} {self.name}")  # noqa: S311 - a fixed seed

    def next(self) -> Handed:
        self._count += 1
        number = self._count * len(KEYS) + list(KEYS).index(self.name)
        kind, pages = sizes(self._rng, MOST_PAGES)
        return Handed(number, self.name, kind, pages, self._rng.choice(_PAGE_SECONDS))
