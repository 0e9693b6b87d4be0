"""Applications' own clients against running services. `make test-applications` runs this; other runs leave it out.

`APPLICATIONS` names the folder with the clients. The packages of .venv, which they share, come first: services run
as they do without them. `DOCLING` names the virtual environment with docling's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import services
from tests.applications.site import KEY, Site
from tests.conftest import Launch

CLIENTS = os.environ.get("APPLICATIONS")
collect_ignore_glob = [] if CLIENTS else ["test_*.py"]
if CLIENTS:
    sys.path.append(CLIENTS)
    os.environ.update(TIKA_CLIENT_ONLY="true", TIKA_LOG_FILE="")  # tika-python starts no server, and writes no log


@pytest.fixture(scope="session")
def site(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway with jobs and a key."""
    jobs = tmp_path_factory.mktemp("jobs")
    with (
        launch(gateway={"JOBS_DIR": str(jobs), "API_KEYS": KEY}) as started,
        Site.at(started.gateway.url) as found,
    ):
        found.model_url = started.model.url
        yield found


@pytest.fixture(scope="session")
def open_site(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway that asks for no key, for clients that cannot send one, in front of the same model server."""
    settings = {
        "API_GATEWAY_JOBS_DIR": str(tmp_path_factory.mktemp("jobs")),
        "API_GATEWAY_SHUTDOWN_DELAY_SECONDS": "0",
    }
    log = tmp_path_factory.mktemp("gateway") / "gateway.log"
    with (
        log.open("wb") as stream,
        services.api_gateway(site.model_url, settings, stream) as gateway,
        Site.at(gateway.url) as found,
    ):
        yield found


@pytest.fixture(scope="session")
def docling() -> Path:
    """The interpreter that can import docling."""
    return Path(os.environ["DOCLING"]) / "bin" / "python"
