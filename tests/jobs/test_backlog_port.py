"""The backlog of jobs, as KEDA asks a running gateway for it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from scripts.services import Service, free_port
from tests.documents.stand_in import until

KEY = "0123456789abcdef"
PICTURE = Path("charts/api-gateway/files/hello.png").read_bytes()
PATH = "/gateway/jobs/backlog"


@pytest.mark.parametrize("own_port", [True, False])
def test_the_backlog_is_beside_the_metrics_and_needs_no_key(tmp_path: Path, *, own_port: bool) -> None:
    """No model server is there, so that the job stays."""
    port = free_port() if own_port else 0
    settings = {"JOBS_DIR": str(tmp_path / "jobs"), "API_KEYS": KEY, "METRICS_PORT": str(port)}
    settings["MODEL_SERVER_URL"] = f"http://127.0.0.1:{free_port()}"
    env = {f"API_GATEWAY_{name}": value for name, value in settings.items()}
    with (
        (tmp_path / "log").open("wb") as log,
        Service("api_gateway", "/health/serving", env, log) as service,
        httpx.Client(base_url=service.url, trust_env=False, timeout=30) as main,
        httpx.Client(base_url=f"http://127.0.0.1:{port or service.port}", trust_env=False, timeout=30) as operator,
    ):
        key = {"Authorization": f"Bearer {KEY}"}
        sent = main.post("/gateway/jobs", files={"image_file": PICTURE}, headers=key)
        assert sent.status_code == 202, sent.text
        until(lambda: operator.get(PATH).json().get("unfinished") == 1)
        assert operator.get(PATH).json()["pages_unread"] == 1
        metrics = operator.get("/metrics").text.splitlines()
        assert "gateway_jobs_store_up 1.0" in metrics
        assert "gateway_jobs_reader 1.0" in metrics
        if own_port:
            assert main.get(PATH).status_code == 401
            assert main.get(PATH, headers=key).status_code == 404
