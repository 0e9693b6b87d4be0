"""The commands of docs/command.md and the Python of docs/python.md do what is written under them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from scripts.services import ROOT, Service
from tests.client import served
from tests.client.served import Ocr
from tests.system import readme

pytestmark = pytest.mark.slow

COMMANDS = readme.blocks((ROOT / "docs" / "command.md").read_text())
PYTHON = re.findall(
    r"```python\n((?:(?!```).)*)```(?:\n\n```text\n(.*?)```)?",
    (ROOT / "docs" / "python.md").read_text(),
    re.DOTALL,
)
_VOLATILE = [
    (re.compile(r"[0-9.]+ (pages|files)/s"), r"… \1/s"),
    (re.compile(r'"seconds": [0-9.]+'), '"seconds": …'),
    (re.compile(r'"request_id": "[0-9a-f]{32}"'), '"request_id": "…"'),
]


def steady(text: str) -> str:
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    return text.strip()


def scans(folder: Path) -> None:
    """The folder that docs/command.md reads."""
    (folder / "2026").mkdir(parents=True)
    docs = ROOT / "docs"
    for name in ("receipt.png", "receipts.pdf"):
        shutil.copy(docs / name, folder)
    shutil.copy(docs / "receipt.png", folder / "Grüße.png")
    shutil.copy(docs / "receipt.png", folder / "2026" / "a.png")
    Image.open(docs / "receipt.png").convert("L").save(folder / "2026" / "a.jpg", quality=95)
    shutil.copy(ROOT / "README.md", folder / "notes.png")


def test_the_commands_print_what_is_written_under_them(ocr: Ocr) -> None:
    """In order: the later ones need what the earlier ones wrote."""
    assert len(COMMANDS) >= 5
    scans(ocr.folder / "scans")
    program = ocr.folder / "bin" / "ocr"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ocr_client "$@"\n')
    program.chmod(0o755)
    env = {**ocr.env, "PATH": f"{program.parent}:{ocr.env['PATH']}"}
    for command, expected in COMMANDS:
        done = subprocess.run(
            ["bash", "-c", command], cwd=ocr.folder, env=env, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert steady(done.stdout) == steady(expected), command


@pytest.mark.parametrize(("code", "expected"), PYTHON)
def test_the_python_prints_what_is_written_under_it(server: Service, ocr: Ocr, code: str, expected: str) -> None:
    assert len(PYTHON) >= 6
    code = code.replace("http://127.0.0.1:8001", server.url).replace("/tmp/", f"{ocr.folder}/")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=ocr.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if expected:
        assert done.stdout == expected


def test_each_option_of_the_help_is_in_the_documentation(ocr: Ocr) -> None:
    text = (ROOT / "docs" / "command.md").read_text()
    for name in ("read", "watch", "fetch"):
        helped = ocr.run(name, "--help").stdout.decode()
        options = {*re.findall(r"--[a-z][a-z-]+", helped)} - {"--help"}
        assert len(options) > 5
        assert not [option for option in options if f"{option}" not in text], name


def test_the_prose_of_the_package_names_a_wheel_that_is_built() -> None:
    version = re.search(r'version = "(.*)"', (ROOT / "ocr_client" / "pyproject.toml").read_text())
    assert version
    assert f"ocr_service_client-{version[1]}-py3-none-any.whl" in (ROOT / "ocr_client" / "README.md").read_text()
    assert f'__version__ = "{version[1]}"' in (served.SOURCE / "ocr_client" / "__init__.py").read_text()
