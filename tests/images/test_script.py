"""docker_build_test.sh where there is no Docker: it says so, and ends with 1."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests import needs
from tests.images.dockerfile import ROOT

SCRIPT = ROOT / "docker_build_test.sh"


def run(path: Path) -> subprocess.CompletedProcess[str]:
    bash = needs.program("bash", "Debian: bash")
    env = {**os.environ, "PATH": str(path), "TMPDIR": str(path)}
    return subprocess.run([bash, str(SCRIPT)], env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH with what any machine has, and no docker."""
    for name in ("sed", "mktemp", "dirname", "rm", "tail", "cat", "date", "git", "curl"):
        if found := shutil.which(name):
            (tmp_path / name).symlink_to(found)
    return tmp_path


def add(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_without_docker(programs: Path) -> None:
    ended = run(programs)
    assert ended.returncode == 1
    assert "FAILED: docker is missing" in ended.stderr


def test_without_curl(programs: Path) -> None:
    add(programs, "docker", "exit 0")
    (programs / "curl").unlink()
    ended = run(programs)
    assert ended.returncode == 1
    assert "FAILED: curl is missing" in ended.stderr


def test_without_an_engine(programs: Path) -> None:
    add(programs, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    ended = run(programs)
    assert ended.returncode == 1
    assert "FAILED: no Docker engine answers: Cannot connect to the Docker daemon" in ended.stderr


def test_without_the_base_image(programs: Path) -> None:
    add(programs, "docker", 'case "$1" in image | pull) exit 1 ;; esac')
    ended = run(programs)
    assert ended.returncode == 1
    assert "FAILED: the base image python:3.11-slim is not here" in ended.stderr


def test_a_failed_build_is_shown_and_leaves_nothing(programs: Path) -> None:
    add(programs, "docker", 'case "$*" in build*--quiet*) ;; build*) echo "pip: no such package"; exit 1 ;; esac')
    add(programs, "awk", "echo 0")
    ended = run(programs)
    assert ended.returncode == 1
    assert "pip: no such package" in ended.stderr
    assert "FAILED: model-server did not build" in ended.stderr
    assert not list(programs.glob("tmp.*"))


def test_shellcheck_finds_nothing() -> None:
    shellcheck = needs.program("shellcheck", "Debian: shellcheck")
    found = subprocess.run([shellcheck, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert not found.stdout


def test_the_picture_is_small() -> None:
    picture = ROOT / "tests/images/hello.png"
    assert picture.stat().st_size < 5_000
    with Image.open(picture) as image:
        assert image.size == (420, 110)
