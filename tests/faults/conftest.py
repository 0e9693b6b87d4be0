"""The pairs of services that the fault tests share, and the report of each fault's effect."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

for _checking in ("pair", "client"):  # before their import, because their checks are asserts
    pytest.register_assert_rewrite(f"tests.faults.{_checking}")

from tests.faults.fleet import STORES, Fleet, StoreName  # noqa: E402
from tests.faults.pair import Pair  # noqa: E402
from tests.faults.receiver import Receiver, receiving  # noqa: E402
from tests.faults.wire import Answer, StandIn, sound, stand_in  # noqa: E402
from tests.jobs.postgres import PostgresServer, postgres_server  # noqa: E402

REPORT = "FAULT_REPORT"  # a file for one line of JSON per fault


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(number, title): a row of docs/reliability.md; 0: beyond the list")


@pytest.fixture(scope="session")
def shared_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Pair(tmp_path_factory.mktemp("pair")).running() as started:
        yield started


@pytest.fixture
def pair(shared_pair: Pair) -> Pair:
    """A pair with the misbehaving engine, for all tests that leave it intact."""
    return shared_pair.begin()


@dataclass
class Fronted:
    """A gateway with a stand-in for the model server."""

    pair: Pair
    model_server: StandIn


@pytest.fixture(scope="session")
def shared_fronted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronted]:
    with (
        stand_in() as upstream,
        Pair(tmp_path_factory.mktemp("fronted"), upstream=upstream).running() as started,
    ):
        yield Fronted(started, upstream)


@pytest.fixture
def fronted(shared_fronted: Fronted) -> Fronted:
    shared_fronted.model_server.does(sound)
    shared_fronted.pair.begin()
    return shared_fronted


PairOf = Callable[..., Pair]


@pytest.fixture
def pair_of(tmp_path: Path) -> PairOf:
    """Makes a pair with its own settings; the test starts it with `running`."""

    def make(
        model: dict[str, str] | None = None,
        gateway: dict[str, str] | None = None,
        *,
        folder: str = "pair",
        **more: Any,
    ) -> Pair:
        (tmp_path / folder).mkdir()
        return Pair(tmp_path / folder, model, gateway, **more)

    return make


@pytest.fixture(scope="session")
def durable_postgres() -> Iterator[PostgresServer]:
    """For tests that leave it running."""
    with postgres_server(durable=True) as server:
        yield server


@pytest.fixture(scope="session", params=STORES)
def shared_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    database = request.getfixturevalue("durable_postgres").create() if request.param == "postgres" else None
    with Fleet(tmp_path_factory.mktemp("fleet"), request.param, database, workers=2).running() as fleet:
        yield fleet


@pytest.fixture
def fleet(shared_fleet: Fleet) -> Iterator[Fleet]:
    """Gateway, workers and model server with each store; a test may kill what it likes, but not the store."""
    yield shared_fleet
    shared_fleet.whole()


FleetOf = Callable[..., Fleet]


@pytest.fixture
def fleet_of(request: pytest.FixtureRequest, tmp_path: Path) -> FleetOf:
    """Makes a fleet with its own settings or a database's URL; the test starts it with `running`."""

    def make(store: StoreName, database: str | None = None, folder: str = "fleet", **more: Any) -> Fleet:
        if store == "postgres" and database is None:
            database = request.getfixturevalue("durable_postgres").create()
        return Fleet(tmp_path / folder, store, database, **more)

    return make


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@dataclass
class Record:
    """A fault's effect on the client, and the checks afterwards."""

    got: list[dict[str, Any]] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)

    def answer(self, what: str, answer: Answer) -> Answer:
        """The client's answer to `what`."""
        self.saw(what, f"{answer.status} {answer.code}".strip(), answer.seconds)
        return answer

    def saw(self, what: str, got: str, seconds: float) -> None:
        self.got.append({"what": what, "got": got, "seconds": round(seconds, 3)})

    def whole(self, pair: Pair) -> None:
        """The check after every fault."""
        self.checked += [check for check in pair.check_whole() if check not in self.checked]

    def also(self, what: str) -> None:
        self.checked.append(what)


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """The report of a test with the mark `fault`; written when the test has passed."""
    found = Record()
    yield found
    mark = request.node.get_closest_marker("fault")
    assert mark, "a test with a record has the mark `fault`"
    path = os.environ.get(REPORT)
    if path and request.node.stash.get(_PASSED, False):
        number, title = mark.args
        line = {"fault": number, "title": title, "test": request.node.name, **vars(found)}
        with Path(path).open("ab") as report:
            report.write(orjson.dumps(line) + b"\n")


_PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report
