"""A contract that is switched off: its paths do not exist, and the description does not have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.services import Service, free_port
from tests.contracts import CONTRACTS, Way
from tests.gateway.conftest import PICTURE, client_of

OFFERED = "tika"


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("jobs")
    env = {
        "MODEL_SERVER_URL": f"http://127.0.0.1:{free_port()}",
        "SHUTDOWN_DELAY_SECONDS": "0",
        "JOBS_DIR": str(folder),
        "CONTRACTS": OFFERED,
    }
    service = Service("api_gateway", "/health/live", {f"API_GATEWAY_{name}": value for name, value in env.items()})
    with service, client_of(service) as client:
        yield client


@pytest.mark.parametrize("way", CONTRACTS.values(), ids=CONTRACTS)
def test_only_what_is_offered_is_there(few: httpx.Client, way: Way) -> None:
    found = way.read(few, PICTURE)
    is_offered = way.contract == OFFERED
    assert found.status == (503 if is_offered else 404)
    described = few.get("/openapi.json").json()["paths"]
    own = [path for path in described if path.startswith(f"/{way.path.split('/')[1]}/") or path == way.path]
    assert bool(own) is is_offered
    assert "/gateway/ocr" in described
