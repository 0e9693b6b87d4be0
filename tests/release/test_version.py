"""One version: pyproject.toml has it, and one command brings it to every other place."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.release import version

ROOT = Path(__file__).resolve().parents[2]
NOW = version.project_version(ROOT)
NEXT = "7.8.9"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.release.version", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """All files of the repository that are text, without the locks."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if name == "poetry.lock" or name.startswith("locks/") or not (ROOT / name).is_file():
            continue
        try:
            text = (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_every_place_has_the_version_of_pyproject() -> None:
    assert version.differences(ROOT, NOW) == []


def test_one_command_brings_a_new_version_everywhere(copy: Path) -> None:
    edit(copy / "pyproject.toml", f'version = "{NOW}"', f'version = "{NEXT}"')
    edit(copy / "CHANGELOG.md", "# Changelog\n", f"# Changelog\n\n## {NEXT} (not yet released)\n\n- News.\n")
    ended = run(copy)
    assert (ended.stdout, ended.returncode) == (f"{NEXT}\n", 0), ended.stderr
    assert run(copy, "--check", f"v{NEXT}").returncode == 0
    old = re.compile(rf"(?<![\d.]){re.escape(NOW)}(?![\d.]*\d)")
    left = [
        f"{path.relative_to(copy)}: {line}"
        for path in copy.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.name != "CHANGELOG.md"
        for line in path.read_text().splitlines()
        if old.search(line)
    ]
    assert left == [], "a place that scripts/release/version.py does not know"


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        ("charts/model-server/Chart.yaml", r"\nversion: \S+", "\nversion: 0.0.9"),
        ("charts/api-gateway/Chart.yaml", r"appVersion: \S+", 'appVersion: "0.0.9"'),
        ("api_gateway/app.py", r"(?<= )version=\S+", 'version="0.0.9",'),
        ("docs/kubernetes.md", r"model-server:[\d.]+", "model-server:0.0.9"),
        ("argo-cd/applicationset-model-server.yaml", r" revision: \S+", " revision: v0.0.9"),
        ("compose.yaml", r"image: api-gateway\S*", "image: api-gateway:0.0.9"),
    ],
)
def test_a_place_that_differs_is_named_with_its_line(copy: Path, place: str, old: str, new: str) -> None:
    text, changes = re.subn(old, new, (copy / place).read_text(), count=1)
    assert changes == 1
    (copy / place).write_text(text)
    ended = run(copy, "--check")
    assert ended.returncode == 1
    assert re.search(rf"^{re.escape(place)}:\d+: 0\.0\.9$", ended.stderr, re.MULTILINE)


def test_a_place_that_lost_its_version_is_named(copy: Path) -> None:
    edit(copy / "charts/api-gateway/Chart.yaml", f"\nversion: {NOW}\n", "\n")
    assert "charts/api-gateway/Chart.yaml has no version" in run(copy, "--check").stderr


def test_a_new_version_needs_a_section_of_the_changelog(copy: Path) -> None:
    edit(copy / "pyproject.toml", f'version = "{NOW}"', f'version = "{NEXT}"')
    ended = run(copy)
    assert ended.returncode == 1
    assert f"CHANGELOG.md: the first section is {NOW}" in ended.stderr


def test_the_tag_is_the_version(copy: Path) -> None:
    assert run(copy, "--check", f"v{NOW}").returncode == 0
    ended = run(copy, "--check", f"v{NEXT}")
    assert ended.returncode == 1
    assert f"the tag is v{NEXT}, not v{NOW}" in ended.stderr


def test_a_version_is_three_numbers_because_a_chart_needs_them(copy: Path) -> None:
    edit(copy / "pyproject.toml", f'version = "{NOW}"', 'version = "1.0rc1"')
    assert "a chart's needs three numbers" in run(copy, "--check").stderr
