"""What is made of files is made again when a file changes, as in a mounted Secret or in a plain folder."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from service_kit import followed
from service_kit.followed import Followed, Unusable, following
from tests.secret_volume import SecretVolume


def number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        raise Unusable("NUMBER_FILE is not a number") from None


def test_a_replaced_secret_is_read_again(tmp_path: Path) -> None:
    volume = SecretVolume(tmp_path / "volume", {"number": b"1"})
    counted: list[str] = []
    found = Followed("number", [volume / "number"], lambda: number(volume / "number"), counted.append)
    found.look()
    assert (found.value, counted) == (1, [])
    volume.replace({"number": b"2"})
    found.look()
    found.look()
    assert (found.value, counted) == (2, ["ok"]), "read once for each change"


@pytest.mark.parametrize("broken", [{"number": b"x"}, {}], ids=["not valid", "gone"])
def test_a_broken_file_leaves_the_last_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: dict[str, bytes]
) -> None:
    volume = SecretVolume(tmp_path / "volume", {"number": b"1"})
    counted: list[str] = []
    found = Followed("number", [volume / "number"], lambda: number(volume / "number"), counted.append)
    volume.replace(broken)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            found.look()
        assert (found.value, counted) == (1, ["failed"] * 3), "tried again at each look"
        assert [(line.message, vars(line)["why"]) for line in caplog.records] == [
            ("files not reloaded", "NUMBER_FILE is not a number")
        ], "logged once"
        volume.replace({"number": b"3"})
        found.look()
    assert (found.value, counted[3:]) == (3, ["ok"])
    assert caplog.messages == ["files not reloaded", "files reloaded"]


def test_each_of_several_files_is_followed(tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        file.write_text("1")
    found = Followed("sum", [*files, None], lambda: sum(map(number, files)))
    for at, file in enumerate(files):
        file.write_text("10")
        found.look()
        assert found.value == 11 + 9 * at


def test_a_start_with_broken_files_fails(tmp_path: Path) -> None:
    with pytest.raises(Unusable):
        Followed("number", [tmp_path], lambda: number(tmp_path))


def test_files_are_followed_while_the_context_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "_LOOK_SECONDS", 0.01)
    file = tmp_path / "number"
    file.write_text("1")

    async def replace() -> None:
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        found = Followed(
            "number", [file], lambda: number(file), lambda _outcome: loop.call_soon_threadsafe(changed.set)
        )
        async with following(found, Followed("nothing", [None], lambda: 0)):
            file.write_text("22")
            async with asyncio.timeout(10):
                await changed.wait()
        assert found.value == 22
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(replace())
