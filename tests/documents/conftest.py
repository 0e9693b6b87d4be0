"""A gateway that calls stand-ins for the model server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from scripts import services
from tests.documents.stand_in import ModelServer, serving


class Gateway(httpx.Client):
    """A client of a gateway that runs for one test, or for a few."""

    service: services.Service
    log: Path
    spool: Path


Front = Callable[..., contextlib.AbstractContextManager[Gateway]]


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Front:
    """Starts a gateway that calls these servers; `settings` have no prefix."""

    @contextlib.contextmanager
    def start(*servers: ModelServer, **settings: str) -> Iterator[Gateway]:
        folder = tmp_path_factory.mktemp("gateway")
        spool = folder / "spool"
        spool.mkdir()
        env = {"SHUTDOWN_DELAY_SECONDS": "0", "SPOOL_DIR": str(spool), "LOG_FORMAT": "json", **settings}
        with (folder / "log").open("wb") as log, serving(*servers) as url:
            service = services.api_gateway(url, {f"API_GATEWAY_{key}": value for key, value in env.items()}, log)
            with service, Gateway(base_url=service.url, timeout=60, trust_env=False) as client:
                client.service, client.log, client.spool = service, folder / "log", spool
                yield client

    return start
