"""What a test needs of the machine. Without it a test is skipped, and says so; in CI it fails."""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str, package: str) -> str:
    """The path of a program; `package` is where to get it."""
    found = shutil.which(name)
    if found is None:
        missing(f"the program {name} is not on PATH ({package})")
    return str(found)


def missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"CI has to have everything: {what}")
    pytest.skip(what)
