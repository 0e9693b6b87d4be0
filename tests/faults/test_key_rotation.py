"""API keys are replaced while the gateway runs, in a mounted Secret."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Record
from tests.faults.pair import KNOWN, Pair, metrics, until
from tests.faults.wire import StandIn, stand_in
from tests.secret_volume import SecretVolume

SECONDS = 10.0
OLD, STAYS, NEW = "an-old-key-00000000", "a-key-that-stays-1111", "a-new-key-222222222"
RELOADS = "gateway_key_reloads_total[('outcome', '{}')]"
BROKEN = {
    "a key too short": {"keys": b"hush-hush\n"},
    "no key": {"keys": b"\n"},
    "not UTF-8": {"keys": "schlüssel-à-à-à-à".encode("latin-1")},
    "no file": {},
}


@contextlib.contextmanager
def guarded(folder: Path, volume: SecretVolume) -> Iterator[Pair]:
    with stand_in() as upstream:
        pair = Pair(folder, gateway={"API_KEYS_FILE": str(volume / "keys")}, upstream=StandIn(port=upstream.port))
        with pair.alone():
            pair.begin()
            yield pair


def lines(*keys: str) -> dict[str, bytes]:
    return {"keys": "\n".join(keys).encode()}


def status(pair: Pair, key: str) -> int:
    return pair.read(KNOWN, headers={"authorization": f"Bearer {key}"}).status


def reloads(pair: Pair, outcome: str) -> float:
    return metrics(pair.gateway.service)[RELOADS.format(outcome)]


@pytest.mark.fault(0, "The file of API keys is replaced, and replaced by a broken one")
def test_keys_are_replaced_without_a_restart(tmp_path: Path, record: Record) -> None:
    volume = SecretVolume(tmp_path / "volume", lines(OLD, STAYS))
    with guarded(tmp_path, volume) as pair:
        assert [status(pair, key) for key in (OLD, STAYS, NEW)] == [200, 200, 401]
        volume.replace(lines(STAYS, NEW))
        until(lambda: status(pair, NEW) == 200, "the new key works", SECONDS)
        assert [status(pair, key) for key in (OLD, STAYS)] == [401, 200]
        assert (reloads(pair, "ok"), reloads(pair, "failed")) == (1, 0)
        record.saw("a removed key, then", "401 unauthorized", 0)
        for what, files in BROKEN.items():
            failed = reloads(pair, "failed")
            volume.replace(files)
            until(lambda before=failed: reloads(pair, "failed") > before, f"{what} is noticed", SECONDS)  # type: ignore[misc]
            assert [status(pair, key) for key in (OLD, STAYS, NEW)] == [401, 200, 200], what
        record.also("a broken file: the keys before it stay")
        volume.replace(lines(OLD))
        until(lambda: status(pair, OLD) == 200, "a sound file works again", SECONDS)
        assert status(pair, NEW) == 401
        why = [line["why"] for line in pair.gateway.log_lines_of("files not reloaded")]
        assert len(why) == len(set(why)) == len(BROKEN) - 1, "one line for each fault; two are the same"
        assert {line["level"] for line in pair.gateway.log_lines_of("files not reloaded")} == {"error"}
        logged = pair.gateway.log_text()
        assert not [key for key in (OLD, STAYS, NEW, "hush-hush") if key in logged]
        record.also("no key in the log")
        pair.wait_idle()
        pair.check_accounts()
