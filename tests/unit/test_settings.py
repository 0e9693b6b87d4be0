"""Settings are checked as a whole, and told in one table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from api_gateway.settings import Settings as GatewaySettings
from model_server.settings import Settings as ModelSettings
from service_kit.settings import table


def run(module: str, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_faults_at_once() -> None:
    found = run("model_server", {"MODEL_SERVER_PORT": "0", "MODEL_SERVER_MAX_QUEUE": "many"})
    assert found.returncode != 0
    assert "MODEL_SERVER_PORT" in found.stderr
    assert "MODEL_SERVER_MAX_QUEUE" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("module", "env", "expected"),
    [
        ("model_server", {"MODEL_SERVER_TEST_ENGINE": "x:Y"}, "TEST_ENGINE is for ENVIRONMENT=test only"),
        ("model_server", {"MODEL_SERVER_SHUTDOWN_GRACE_SECONDS": "1"}, "SHUTDOWN_GRACE_SECONDS"),
        ("model_server", {"MODEL_SERVER_WORKER_KILL_MIB": "100"}, "WORKER_KILL_MIB"),
        ("api_gateway", {"API_GATEWAY_API_KEYS": "short"}, "fewer than 16 characters"),
        ("api_gateway", {"API_GATEWAY_API_KEYS_FILE": "/nowhere"}, "not a file"),
        ("api_gateway", {"API_GATEWAY_API_KEYS_FILE": "/dev/null"}, "API_KEYS_FILE"),
        ("api_gateway", {"API_GATEWAY_MODEL_SERVER_URL": "nonsense"}, "MODEL_SERVER_URL"),
    ],
)
def test_what_does_not_fit_together(module: str, env: dict[str, str], expected: str) -> None:
    found = run(module, env)
    assert found.returncode != 0
    assert expected in found.stderr
    assert "Traceback" not in found.stderr


def test_a_key_is_not_shown_when_it_is_wrong() -> None:
    assert "hush-hush" not in run("api_gateway", {"API_GATEWAY_API_KEYS": "hush-hush"}).stderr


@pytest.mark.parametrize("module", ["model_server", "api_gateway"])
def test_help(module: str) -> None:
    found = run(module, {}, "--help")
    assert found.returncode == 0
    assert "--request-timeout-seconds" in found.stdout


def test_the_tables_in_the_readme_are_those_of_the_classes() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for settings in (ModelSettings, GatewaySettings):
        assert table(settings) in readme, "run: make docs"
