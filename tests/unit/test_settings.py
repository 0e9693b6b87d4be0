"""Settings are checked as a whole, and documented in one table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api_gateway.settings import GatewaySettings
from model_server.settings import ModelServerSettings
from service_kit import cgroup
from service_kit.settings import MIB, table


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
        (
            "model_server",
            {"MODEL_SERVER_TEST_ENGINE": "x:Y"},
            "TEST_ENGINE and TEST_NEURAL are for ENVIRONMENT=test",
        ),
        (
            "model_server",
            {"MODEL_SERVER_TEST_NEURAL": "x:Y"},
            "TEST_ENGINE and TEST_NEURAL are for ENVIRONMENT=test",
        ),
        (
            "model_server",
            {"MODEL_SERVER_ENGINE": "neural", "MODEL_SERVER_NEURAL": "false"},
            "ENGINE=neural needs NEURAL=true",
        ),
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


def test_the_tables_of_the_settings_are_those_of_the_classes() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    for settings in (ModelServerSettings, GatewaySettings):
        assert table(settings) in page, "run: make docs"


@pytest.fixture
def no_limit(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without a limit in the control group, on a machine of 4 GiB."""
    monkeypatch.setattr(cgroup, "memory_limit", lambda: None)
    monkeypatch.setattr(cgroup, "machine_memory", lambda: 4096 * MIB)
    return monkeypatch


@pytest.mark.usefixtures("no_limit")
@pytest.mark.parametrize("memory", [512, 777, 1024, 1536, 2048, 65536])
def test_the_gateway_s_memory_adds_up(memory: int) -> None:
    settings = GatewaySettings(memory_mib=memory)
    assert settings.container_mib == memory
    assert set(settings.memory_rows()) == {"program", "uploads", "pages", "children"}
    assert sum(settings.memory_rows().values()) <= memory
    assert settings.splitter_kill_mib <= settings.children_mib == settings.memory_rows()["children"]


@pytest.mark.usefixtures("no_limit")
@pytest.mark.parametrize(
    ("given", "rows", "child"),
    [
        ({"memory_mib": 512}, [64, 128, 64, 256], 192),
        ({"memory_mib": 1024}, [128, 256, 128, 512], 384),
        ({"memory_mib": 8192}, [1024, 2048, 1024, 4096], 3072),
        ({"memory_mib": 1024, "max_held_mib": 100}, [128, 100, 128, 512], 384),
        ({"memory_mib": 2048, "max_held_mib": 512, "splitter_kill_mib": 900}, [256, 512, 256, 1024], 900),
        ({}, [256, 256, 128, 1024], 700),  # half of the machine, and no more than the defaults
    ],
)
def test_what_is_not_given_is_a_share_of_the_memory(given: dict[str, int], rows: list[int], child: int) -> None:
    settings = GatewaySettings(**given)  # type: ignore[arg-type]
    assert list(settings.memory_rows().values()) == rows
    assert settings.splitter_kill_mib == child
    assert settings.max_held_mib == rows[1]
    assert settings.max_pages_held_mib == rows[2]


def test_the_memory_is_that_of_the_control_group(no_limit: pytest.MonkeyPatch) -> None:
    assert GatewaySettings().container_mib == 2048
    no_limit.setattr(cgroup, "memory_limit", lambda: 600 * MIB)
    assert GatewaySettings().container_mib == 600
    assert GatewaySettings(memory_mib=600).container_mib == 600
    assert GatewaySettings(memory_mib=512).container_mib == 512
    no_limit.setenv("API_GATEWAY_MEMORY_MIB", "601")
    with pytest.raises(ValidationError, match="MEMORY_MIB=601 is above the container's limit, 600 MiB"):
        GatewaySettings()


@pytest.mark.usefixtures("no_limit")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"memory_mib": 1024, "max_pages_held_mib": 129}, "MEMORY_MIB=1024 is less than the sum of 128 MiB for"),
        (
            {"memory_mib": 511, "tmp_mib": 16},
            "MEMORY_MIB=511 is too little: an eighth of it is for the program, which needs 64 MiB with TMP_MIB=16",
        ),
        (
            {"memory_mib": 1024, "max_held_mib": 257},
            "128 MiB for the program, MAX_HELD_MIB=257, MAX_PAGES_HELD_MIB=128 and 512 MiB for child processes",
        ),
        (
            {"memory_mib": 1024, "splitter_kill_mib": 513},
            "SPLITTER_KILL_MIB=513 is more than all child processes together may have, 512 MiB or half of",
        ),
        (
            {"max_upload_mib": 20.1, "max_held_mib": 50},
            "MAX_HELD_MIB=50 is less than the largest picture needs, 51 MiB or 2.5 times MAX_UPLOAD_MIB",
        ),
        (
            {"memory_mib": 512, "max_upload_mib": 52},
            "MAX_HELD_MIB=128 is less than the largest picture needs, 131",
        ),
        ({"max_document_mib": 961}, "MAX_DISK_MIB=960 is less than MAX_DOCUMENT_MIB=961"),
        ({"max_disk_mib": 99}, "MAX_DISK_MIB=99 is less than MAX_DOCUMENT_MIB=100"),
        ({"document_grace_seconds": -1}, "document_grace_seconds"),
        ({"wait_for_model_seconds": 30}, "WAIT_FOR_MODEL_SECONDS must be below REQUEST_TIMEOUT_SECONDS"),
        ({"metrics_port": 8001}, "METRICS_PORT must not be PORT"),
        ({"spool_dir": "/nowhere"}, "SPOOL_DIR is not a folder"),
        ({"api_keys": "0123456789abcdef 2"}, "an API key contains a space"),
        ({"api_keys": "0123456789abcdef\x07"}, "an API key contains a space, a control character"),
        ({"api_keys": "0123456789abcdef\x85x"}, "an API key contains a space, a control character"),
        ({"api_keys": "0123456789abcdef\udcff"}, "or bytes that are not UTF-8"),
    ],
)
def test_what_the_gateway_refuses(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError) as refused:
        GatewaySettings(**given)
    (fault,) = refused.value.errors()
    assert expected in f"{fault['loc']} {fault['msg']}"
    assert "0123456789abcdef" not in fault["msg"]


@pytest.mark.usefixtures("no_limit")
def test_the_gateway_reports_faults_together() -> None:
    with pytest.raises(ValidationError) as refused:
        GatewaySettings(memory_mib=256, spool_dir="/nowhere", max_disk_mib=1, api_keys="short")
    text = str(refused.value)
    assert all(name in text for name in ("MEMORY_MIB", "SPOOL_DIR", "MAX_DISK_MIB", "fewer than 16 characters"))


@pytest.mark.usefixtures("no_limit")
def test_a_file_of_keys_is_utf_8_with_one_key_per_line(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes("schlüssel-à-à-à-à\r\n\n  ключ-ключ-ключ-ключ\n".encode())
    found = [key.secret for key in GatewaySettings(api_keys_file=file).keys]
    assert found == ["schlüssel-à-à-à-à", "ключ-ключ-ключ-ключ"]
    file.write_bytes("schlüssel-à-à-à-à".encode("latin-1"))
    with pytest.raises(ValidationError, match="API_KEYS_FILE is not a file of UTF-8 text"):
        GatewaySettings(api_keys_file=file)
    with pytest.raises(ValidationError, match="API_KEYS_FILE is not a file of UTF-8 text"):
        GatewaySettings(api_keys_file=tmp_path)


@pytest.mark.usefixtures("no_limit")
@pytest.mark.parametrize(("pictures", "documents", "both"), [(35, 120, 120), (60, 0, 60), (35, 3600, 3600)])
def test_the_longer_grace_is_that_of_the_process(pictures: float, documents: float, both: float) -> None:
    settings = GatewaySettings(shutdown_grace_seconds=pictures, document_grace_seconds=documents)
    assert settings.grace_seconds == both


@pytest.mark.usefixtures("no_limit")
@pytest.mark.parametrize(
    ("given", "worker"),
    [
        ({"memory_mib": 1024, "tmp_mib": 64, "workers": 1}, 640),
        ({"memory_mib": 2048, "tmp_mib": 64, "workers": 2}, 832),
        ({"memory_mib": 2048, "max_bodies_mib": 200, "workers": 2}, 824),
        ({"workers": 1}, 1500),  # half of the machine
    ],
)
def test_a_worker_of_the_model_server_has_its_share_of_the_memory(given: dict[str, int], worker: int) -> None:
    settings = ModelServerSettings(**given)  # type: ignore[arg-type]
    assert settings.kill_mib == worker, "with the neural engine in it or not"
    assert ModelServerSettings(**given, neural=False).kill_mib == worker  # type: ignore[arg-type]
    assert sum(settings.memory_rows().values()) <= settings.container_mib == given.get("memory_mib", 2048)


@pytest.mark.parametrize(("neural", "least"), [(False, 256), (True, 640)])
@pytest.mark.parametrize("memory", [1024, 2048, 4096])
def test_there_are_no_more_workers_than_the_memory_allows(
    no_limit: pytest.MonkeyPatch, memory: int, neural: bool, least: int
) -> None:
    no_limit.setattr("os.sched_getaffinity", lambda _process: set(range(64)))
    no_limit.setattr(cgroup, "cpu_quota", lambda: None)
    settings = ModelServerSettings(memory_mib=memory, neural=neural)
    assert settings.kill_mib >= least
    assert sum(settings.memory_rows().values()) <= memory
    assert settings.worker_count == (memory - 320) // least


@pytest.mark.usefixtures("no_limit")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"memory_mib": 1024, "workers": 4}, "MEMORY_MIB=1024 leaves 176 MiB to each of 4 WORKERS"),
        (
            {"memory_mib": 1024, "workers": 2, "worker_kill_mib": 400},
            "MEMORY_MIB=1024 is less than the sum of 200 MiB",
        ),
        ({"max_bodies_mib": 60}, "MAX_BODIES_MIB=60 is less than 67"),
        ({"probe_port": 8080}, "PROBE_PORT must not be PORT"),
    ],
)
def test_what_the_model_server_refuses(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        ModelServerSettings(**given)


@pytest.mark.usefixtures("no_limit")
def test_traces_need_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GatewaySettings(memory_mib=512, tmp_mib=16)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    with pytest.raises(ValidationError, match="which needs 76 MiB with TMP_MIB=16 and traces"):
        GatewaySettings(memory_mib=512, tmp_mib=16)
