"""Every command in the README and in docs/languages.md prints what is written under it."""

from __future__ import annotations

import pytest

from tests import needs
from tests.conftest import Pair
from tests.system import readme

BLOCKS = [block for file in readme.FILES for block in readme.blocks(file.read_text())]


def test_there_are_commands() -> None:
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize(("command", "expected"), BLOCKS, ids=[command[:60] for command, _ in BLOCKS])
def test_a_command_of_the_readme(pair: Pair, command: str, expected: str) -> None:
    needs.program("curl", "Debian: curl")
    printed = readme.run(command, pair.gateway.url, pair.model.url)
    assert readme.steady(printed) == readme.steady(expected)
