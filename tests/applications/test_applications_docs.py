"""The Python of docs/applications.md prints what is written under it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.applications.conftest import CLIENTS
from tests.applications.site import KEY, Site

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"```python\n((?:(?!```).)*)```\n\n```text\n(.*?)```",
    (ROOT / "docs" / "applications.md").read_text(),
    re.DOTALL,
)


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize(("code", "expected"), BLOCKS, ids=[code.splitlines()[0] for code, _ in BLOCKS])
def test_an_example_prints_what_is_written_under_it(open_site: Site, code: str, expected: str) -> None:
    begin = f"import sys; sys.path.append({str(CLIENTS)!r})\n"
    code = begin + code.replace("http://127.0.0.1:8001", open_site.url).replace('"KEY"', repr(KEY))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
