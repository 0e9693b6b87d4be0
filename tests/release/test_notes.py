"""The notes of a release are its section of the changelog."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scripts.release.version import project_version

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = """# Changelog

## 1.1.0 (2026-02-03)

- A point that goes on
  in a second line, with [a page](docs/a.md) and [another](https://example.org/).
- A second point.

## 1.0.1 (not yet released)

- Older.

## 1.0.0
"""


def notes(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    command = [sys.executable, "-m", "scripts.release.notes", *arguments]
    env = {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_they_are_one_section_with_whole_lines(tmp_path: Path) -> None:
    assert notes(tmp_path, "1.1.0").stdout.splitlines() == [
        "- A point that goes on in a second line, with [a page](docs/a.md) and [another](https://example.org/).",
        "- A second point.",
    ]


def test_links_lead_to_the_files_of_the_tag(tmp_path: Path) -> None:
    said = notes(tmp_path, "1.1.0", "--source", "https://github.com/you/ocr").stdout
    assert "[a page](https://github.com/you/ocr/blob/v1.1.0/docs/a.md)" in said
    assert "[another](https://example.org/)" in said


def test_what_was_published_is_listed(tmp_path: Path) -> None:
    said = notes(tmp_path, "1.1.0", "ghcr.io/you/ocr/model-server:1.1.0@sha256:12").stdout
    assert said.endswith(
        "\n- A second point.\n\n### Published\n\n- `ghcr.io/you/ocr/model-server:1.1.0@sha256:12`\n"
    )


def test_a_version_that_is_not_released_has_none(tmp_path: Path) -> None:
    ended = notes(tmp_path, "1.0.1")
    assert ended.returncode == 1
    assert "1.0.1 (not yet released)" in ended.stderr
    assert notes(tmp_path, "1.0.1", "--draft").stdout == "- Older.\n"


def test_neither_has_an_empty_section_nor_an_unknown_version(tmp_path: Path) -> None:
    for unknown in ("1.0.0", "1.1", "1.1.00"):
        ended = notes(tmp_path, unknown)
        assert ended.returncode == 1
        assert f"CHANGELOG.md says nothing of {unknown}" in ended.stderr


def test_the_changelog_has_notes_for_this_version() -> None:
    command = [sys.executable, "-m", "scripts.release.notes", "--draft", project_version(ROOT)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("- ")
    assert "\n## " not in ended.stdout
