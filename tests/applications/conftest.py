"""Applications' own clients against real services. `make test-applications` runs this; other runs leave it out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = "APPLICATIONS"  # the virtual environment with the clients
collect_ignore_glob = [] if os.environ.get(FOLDER) else ["test_*.py"]


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter that can import the clients."""
    return Path(os.environ[FOLDER]) / "bin" / "python"
