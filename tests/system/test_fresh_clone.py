"""A fresh clone, an empty home, and the README's commands in order."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts import services
from tests.system import readme
from tests.system.test_run import READY

PORTS = ("API_GATEWAY_PORT", "MODEL_SERVER_PORT", "MODEL_SERVER_GRPC_PORT")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

INDEX = f"https://pypi.org/pypi/httpx/{httpx.__version__}/json"  # a version's own: Poetry asks for it


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is committed, and nothing else."""
    folder = tmp_path_factory.mktemp("clone") / "ocr-service"
    subprocess.run(["git", "clone", "--quiet", str(readme.ROOT), str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """No settings, no virtual environment, nothing in the home."""
    kept = {
        name: os.environ[name] for name in os.environ if not name.startswith(("API_", "MODEL_", "VIRTUAL_ENV"))
    }
    return {**kept, "HOME": str(tmp_path_factory.mktemp("home")), "PYTHON": sys.executable}


@pytest.fixture(scope="module")
def running(clone: Path, env: dict[str, str]) -> Iterator[tuple[str, str]]:
    """`make run`: the addresses of both services."""
    ports = {name: str(services.free_port()) for name in PORTS}
    process = subprocess.Popen(
        ["make", "run", f"PYTHON={env['PYTHON']}"],
        cwd=clone,
        env={**env, **ports},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = []
    assert process.stdout
    try:
        for line in process.stdout:
            said.append(line)
            if READY.search(line):
                break
        else:
            pytest.fail("".join(said))
        gateway, model, _grpc = (f"http://127.0.0.1:{port}" for port in ports.values())
        yield gateway, model
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)


def test_every_command_of_the_readme_prints_what_is_written_under_it(
    clone: Path, running: tuple[str, str]
) -> None:
    for command, expected in readme.all_blocks(clone):
        printed = readme.run(command, *running, folder=clone)
        assert readme.steady(printed) == readme.steady(expected), command


def test_nothing_in_the_clone_was_changed(clone: Path, running: tuple[str, str]) -> None:
    assert subprocess.run(["git", "status", "--short"], cwd=clone, capture_output=True, check=True).stdout == b""


def test_poetry_accepts_the_lock(clone: Path, env: dict[str, str], running: tuple[str, str]) -> None:
    poetry = clone / ".tools" / "bin" / "poetry"
    done = subprocess.run(
        [poetry, "check", "--lock"], cwd=clone, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_poetry_installs_and_starts_both_services(
    clone: Path, env: dict[str, str], running: tuple[str, str]
) -> None:
    try:
        httpx.get(INDEX, timeout=10).raise_for_status()
    except httpx.HTTPError:
        pytest.skip(f"Poetry needs PyPI's JSON API, and {INDEX} is not there")
    poetry = clone / ".tools" / "bin" / "poetry"
    folder = clone.with_name("by-poetry")
    shutil.copytree(clone, folder, ignore=shutil.ignore_patterns(".venv", ".tools"))
    subprocess.run([poetry, "install"], cwd=folder, env=env, check=True)
    for name in ("model_server", "api_gateway"):
        subprocess.run([poetry, "run", "python", "-m", name, "--help"], cwd=folder, env=env, check=True)
