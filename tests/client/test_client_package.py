"""The wheel: it has the library, the types and the command, and needs nothing of the services."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from poetry.core.masonry.api import build_wheel

import ocr_client
from scripts.services import ROOT
from tests.client.served import SOURCE


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT / "ocr_client")
        return folder / build_wheel(str(folder))


def test_the_wheel_has_every_module_the_types_and_the_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py")}
    assert modules | {"ocr_client/py.typed"} <= names
    assert [name for name in names if name.endswith("LICENSE")]
    metadata = next(name for name in names if name.endswith("METADATA"))
    text = zipfile.ZipFile(wheel).read(metadata).decode()
    needed = {line.split()[1].split(">")[0] for line in text.splitlines() if line.startswith("Requires-Dist: ")}
    assert needed == {"httpx", "rich", "typer"}


def test_an_installed_wheel_is_the_command_ocr(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, beside the libraries of this one."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--no-deps",
            "--disable-pip-version-check",
            wheel,
        ],
        check=True,
    )
    env = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    done = subprocess.run(
        [tmp_path / "venv" / "bin" / "ocr", "--version"], cwd=tmp_path, env=env, capture_output=True, check=True
    )
    assert done.stdout.decode() == f"ocr {ocr_client.__version__}\n"


def test_the_client_and_the_services_do_not_import_each_other() -> None:
    services = {"service_kit", "model_server", "api_gateway", "scripts", "tests", "bench", "quality"}
    for path in SOURCE.rglob("*.py"):
        assert not _imported(path) & services, path
    for package in ("service_kit", "model_server", "api_gateway"):
        for path in (ROOT / package).rglob("*.py"):
            assert "ocr_client" not in _imported(path), path


def test_only_its_dependencies_and_the_standard_library_are_imported() -> None:
    allowed = {*sys.stdlib_module_names, "httpx", "typer", "rich", "ocr_client"}
    for path in SOURCE.rglob("*.py"):
        assert not _imported(path) - allowed, path


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
