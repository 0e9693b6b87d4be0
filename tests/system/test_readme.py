"""Every command in the README and in four files of docs/ prints what is written under it, in every shell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import needs
from tests.conftest import Launch, Pair
from tests.system import readme

BLOCKS = readme.all_blocks()


@pytest.fixture(scope="module")
def pair(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with launch(gateway={"JOBS_DIR": str(tmp_path_factory.mktemp("jobs"))}) as started:
        yield started


@pytest.fixture(params=readme.SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    needs.program(name, f"Debian: {name}")
    needs.program("curl", "Debian: curl")
    return name


def test_there_are_commands() -> None:
    """The first of all is the README's."""
    assert len(BLOCKS) >= 4
    assert BLOCKS[0][1].startswith("Young Market\n")


@pytest.mark.parametrize(("command", "expected"), BLOCKS, ids=[command[:60] for command, _ in BLOCKS])
def test_a_command_of_the_readme(pair: Pair, shell: str, command: str, expected: str) -> None:
    printed = readme.run(command, pair.gateway.url, pair.model.url, shell=shell)
    assert readme.steady(printed) == readme.steady(expected)
