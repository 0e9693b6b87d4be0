"""API keys on the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.services import ServiceFailed, api_gateway
from tests.faults.conftest import Record
from tests.faults.pair import GATEWAY_PATH, KNOWN, Pair
from tests.faults.wire import StandIn, Wire, exchange, stand_in, upload_head

FROM_ENVIRONMENT = ("environment-key-one-000", "environment-key-two-111")
FROM_FILE = ("file-key-one-2222222222", "file-key-two-3333333333")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("keys")
    file = folder / "keys"
    file.write_text("\n".join(FROM_FILE) + "\n\n")
    settings = {"API_KEYS": ",".join(FROM_ENVIRONMENT), "API_KEYS_FILE": str(file)}
    with stand_in() as upstream:
        pair = Pair(folder, gateway=settings, upstream=StandIn(port=upstream.port))
        with pair.alone():
            yield pair


@pytest.mark.fault(0, "No API key, or a wrong one")
def test_keys(guarded: Pair, record: Record) -> None:
    guarded.begin()
    for key in (*FROM_ENVIRONMENT, *FROM_FILE):
        assert guarded.read(KNOWN, headers={"authorization": f"Bearer {key}"}).status == 200
        assert guarded.read(KNOWN, headers={"authorization": f"bearer {key}"}).status == 200
    wrong = (
        *("", "Bearer", "Bearer ", f"Basic {FROM_FILE[0]}", FROM_FILE[0], f"Bearer {FROM_FILE[0]}x"),
        *(
            f"Bearer {FROM_FILE[0][:-1]}",
            f"Bearer {FROM_FILE[0]},{FROM_FILE[1]}",
            f"Bearer {FROM_FILE[0].upper()}",
        ),
        *("Bearer " + "k" * 8000, "Bearer \xff\xfe", "Bearer \x01"),
    )
    for header in wrong:
        with Wire(guarded.gateway.port, upload_head(10**6, f"Authorization: {header}")) as wire:
            answer = wire.answer()  # before the body
        if not answer.code:  # a control character: not valid HTTP
            assert answer.status == 400
            continue
        guarded.gateway.count(answer.code)
        assert (answer.status, answer.code) == (401, "unauthorized"), header
        assert answer.headers["www-authenticate"].startswith("Bearer")
    absent = record.answer("none", guarded.read(KNOWN))
    assert (absent.status, absent.code) == (401, "unauthorized")
    assert guarded.read(KNOWN, "?psm=99").status == 401, "who has no key learns nothing"
    for path in ("/health/live", "/health/serving", "/health/ready", "/metrics"):
        assert exchange(guarded.gateway.port, "GET", path).status == 200
    assert exchange(guarded.gateway.port, "GET", "/gateway/languages").status == 401
    logged = guarded.gateway.log_text()
    for key in (*FROM_ENVIRONMENT, *FROM_FILE, "k" * 30):
        assert key not in logged
    assert GATEWAY_PATH in logged
    record.also("no key in the log; health and metrics open")
    guarded.wait_idle()
    guarded.check_accounts()
    record.also("client = log = counters")


def test_a_key_that_is_not_ascii_is_accepted_however_it_is_encoded(tmp_path: Path) -> None:
    key = "schlüssel-à-à-à-à"  # à ends in the byte A0 as UTF-8, which is a blank in Latin-1
    with stand_in() as upstream:
        pair = Pair(tmp_path, gateway={"API_KEYS": key}, upstream=StandIn(port=upstream.port))
        with pair.alone():
            pair.begin()
            for sent in (key, key.encode().decode("latin-1")):  # http.client sends Latin-1
                assert pair.read(KNOWN, headers={"authorization": f"Bearer {sent}"}).status == 200
            for sent in (key[:-1], key.encode().decode("latin-1")[:-1]):
                assert pair.read(KNOWN, headers={"authorization": f"Bearer {sent}"}).status == 401


@pytest.mark.parametrize(
    ("variable", "value"),
    [("API_KEYS", "short"), ("API_KEYS_FILE", "/nowhere"), ("API_KEYS_FILE", "{empty}")],
)
def test_settings_that_would_open_the_door(tmp_path: Path, variable: str, value: str) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    log = tmp_path / "log"
    with log.open("wb") as file:
        env = {f"API_GATEWAY_{variable}": value.replace("{empty}", str(empty))}
        service = api_gateway("http://127.0.0.1:1", env, file).start()
        try:
            with pytest.raises(ServiceFailed):
                service.wait_ready(10)
        finally:
            service.stop()
    assert "API" in log.read_text()
    assert "short" not in log.read_text(), "not even a wrong key is shown"
    assert "Traceback" not in log.read_text()
