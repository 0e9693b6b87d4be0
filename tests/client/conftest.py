"""One model server and one gateway with jobs for all tests of the client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import services
from scripts.services import Service
from tests.client import served
from tests.client.served import Ocr


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The model server; pictures of certain sizes make it misbehave (tests/faults/engines.py)."""
    settings = {
        "WORKERS": "2",
        "NEURAL": "false",
        "ENVIRONMENT": "test",
        "TEST_ENGINE": "tests.faults.engines:Faulty",
        "SHUTDOWN_DELAY_SECONDS": "0",
    }
    with (tmp_path_factory.mktemp("engine") / "log").open("wb") as log:
        env = {f"MODEL_SERVER_{name}": value for name, value in settings.items()}
        with services.model_server(env, log).start() as started:
            yield started.wait_ready()


@pytest.fixture(scope="session")
def server(engine: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The gateway."""
    folder = tmp_path_factory.mktemp("server")
    jobs = folder / "jobs"
    jobs.mkdir()
    with (folder / "log").open("wb") as log, served.gateway(engine, log, {"JOBS_DIR": str(jobs)}) as started:
        yield started


@pytest.fixture
def ocr(tmp_path: Path, server: Service) -> Ocr:
    return Ocr(tmp_path, server.url)
