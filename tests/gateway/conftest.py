"""Gateways with the contracts of other services."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from scripts.services import Service, api_gateway
from tests.conftest import Launch, Pair, png
from tests.documents import make
from tests.documents.stand_in import ModelServer, serving, until
from tests.pictures import render

RED, BLUE = "red-red-red-red-red", "blue-blue-blue-blue"
LABEL = render.label(1)
PICTURE = png(LABEL)
PDF = make.joined(make.digital('Gr\u00fc\u00dfe "at" 100 %\nof 3 \\ 4'), make.scanned(LABEL))
SMALL_MIB = 1


@pytest.fixture(scope="session")
def keyed(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """With keys, jobs and small limits."""
    gateway = {
        "JOBS_DIR": str(tmp_path_factory.mktemp("jobs")),
        "API_KEYS": f"red:{RED},blue:{BLUE}",
        "MAX_UPLOAD_MIB": str(SMALL_MIB),
        "MAX_DOCUMENT_MIB": str(SMALL_MIB),
    }
    with launch({"NEURAL": "false"}, gateway) as started:
        yield started


def client_of(service: Service, key: str = "") -> httpx.Client:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=service.url, timeout=60, trust_env=False, headers=headers)


@pytest.fixture(scope="session")
def red(keyed: Pair) -> Iterator[httpx.Client]:
    with client_of(keyed.gateway, RED) as client:
        yield client


@pytest.fixture(scope="session")
def blue(keyed: Pair) -> Iterator[httpx.Client]:
    with client_of(keyed.gateway, BLUE) as client:
        yield client


@dataclass
class StoodIn:
    """A gateway with jobs, and the stand-in that it calls."""

    client: httpx.Client
    server: ModelServer


@pytest.fixture(scope="session")
def shared_stood_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoodIn]:
    server = ModelServer()
    env = {
        "SHUTDOWN_DELAY_SECONDS": "0",
        "JOBS_DIR": str(tmp_path_factory.mktemp("jobs")),
        "MAX_IN_FLIGHT": "1",
    }
    with serving(server) as url:
        service = api_gateway(url, {f"API_GATEWAY_{name}": value for name, value in env.items()})
        with service, client_of(service) as client:
            yield StoodIn(client, server)


@pytest.fixture
def stood_in(shared_stood_in: StoodIn) -> StoodIn:
    shared_stood_in.server.verdict = lambda _width, _times: None
    shared_stood_in.server.seconds = 0.0
    # The gateway repeats the refusals of an earlier test for a moment.
    until(lambda: shared_stood_in.client.put("/tika", content=PICTURE).status_code == 200)
    shared_stood_in.server.calls.clear()
    return shared_stood_in
