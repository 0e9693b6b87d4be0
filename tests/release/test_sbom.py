"""`make audit` compares the SBOMs with the lock before it looks anything up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXPORT = """fastapi==0.165.1 ; python_version >= "3.11" \\
    --hash=sha256:12
uvicorn[standard]==0.54.0 \\
    --hash=sha256:34
Zope.Thing==1.0
"""
LISTED = ("fastapi", "0.165.1"), ("uvicorn", "0.54.0"), ("zope.thing", "1.0")


def component(name: str, version: str) -> dict[str, Any]:
    return {"name": name, "version": version, "purl": f"pkg:pypi/{name.replace('.', '-')}@{version}"}


def check(folder: Path, *sboms: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    (folder / "all.txt").write_text(EXPORT)
    files = []
    for number, components in enumerate(sboms):
        files.append(folder / f"{number}.cdx.json")
        files[-1].write_text(json.dumps({"bomFormat": "CycloneDX", "components": components}))
    command = [sys.executable, "-m", "scripts.release.sbom", str(folder / "all.txt"), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_together_they_list_the_lock(tmp_path: Path) -> None:
    first, second, third = (component(*listed) for listed in LISTED)
    ended = check(tmp_path, [first, second], [second, third])
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "The SBOMs list the 3 packages of the lock.\n"


@pytest.mark.parametrize(
    ("components", "said"),
    [
        ([component("fastapi", "0.165.1"), component("zope.thing", "1.0")], "no SBOM lists uvicorn==0.54.0"),
        ([*(component(*listed) for listed in LISTED), component("left", "1")], "not in the lock: left==1"),
        ([component("fastapi", "0.1")], "no SBOM lists fastapi==0.165.1"),
        ([{"name": "fastapi", "version": "0.165.1"}], "0.cdx.json: fastapi 0.165.1 has the package URL ''"),
        ([], "no SBOM lists fastapi==0.165.1"),
    ],
)
def test_what_differs_is_said(tmp_path: Path, components: list[dict[str, Any]], said: str) -> None:
    ended = check(tmp_path, components)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert not ended.stdout
