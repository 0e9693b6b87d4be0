"""Certificate files are checked at start, by both services, with one sentence for each fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api_gateway.settings import GatewaySettings
from model_server.settings import ModelServerSettings
from service_kit import cgroup
from service_kit.settings import MIB
from tests.certificates import Authority


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "memory_limit", lambda: None)
    monkeypatch.setattr(cgroup, "machine_memory", lambda: 4096 * MIB)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    authority = Authority()
    certificate, key = authority.issue("one")
    contents = {
        "certificate": certificate,
        "key": key,
        "other key": authority.issue("two")[1],
        "authority": authority.pem,
        "text": b"no PEM",
        "empty": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {**{name: tmp_path / name for name in contents}, "nowhere": tmp_path / "nowhere", "folder": tmp_path}


# The settings of each service: certificate, key, authorities.
NAMES: dict[type[Any], tuple[str, str, str]] = {
    ModelServerSettings: ("tls_cert_file", "tls_key_file", "tls_client_ca_file"),
    GatewaySettings: ("model_server_cert_file", "model_server_key_file", "model_server_ca_file"),
}
MORE: dict[type[Any], dict[str, str]] = {
    ModelServerSettings: {},
    GatewaySettings: {"model_server_url": "https://127.0.0.1:8080"},
}


@pytest.mark.parametrize("service", NAMES)
def test_files_that_fit_are_accepted(files: dict[str, Path], service: type[Any]) -> None:
    certificate, key, authorities = NAMES[service]
    service(**MORE[service])
    service(**MORE[service], **{certificate: files["certificate"], key: files["key"]})
    service(
        **MORE[service],
        **{certificate: files["certificate"], key: files["key"], authorities: files["authority"]},
    )


@pytest.mark.parametrize("service", NAMES)
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("nowhere", "key", None), "{0} is not a file that can be read"),
        (("certificate", "folder", None), "{1} is not a file that can be read"),
        (("certificate", "key", "nowhere"), "{2} is not a file that can be read"),
        (("certificate", None, None), "{0} and {1} need each other"),
        ((None, "key", "authority"), "{0} and {1} need each other"),
        (("certificate", "other key", None), "{1} is not the key of {0}"),
        (("certificate", "certificate", None), "{0} or {1} is not in PEM format, or the key has a password"),
        (("text", "key", None), "{0} or {1} is not in PEM format, or the key has a password"),
        (("certificate", "key", "text"), "{2} contains no certificate in PEM format"),
        (("certificate", "key", "empty"), "{2} contains no certificate in PEM format"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    files: dict[str, Path], service: type[Any], given: tuple[str | None, ...], expected: str
) -> None:
    names = NAMES[service]
    settings = {name: files[file] for name, file in zip(names, given, strict=True) if file}
    with pytest.raises(ValidationError) as refused:
        service(**MORE[service], **settings)
    (fault,) = refused.value.errors()
    assert fault["msg"] == "Value error, " + expected.format(*(name.upper() for name in names))


def test_authorities_of_clients_need_a_certificate_of_the_server(files: dict[str, Path]) -> None:
    with pytest.raises(ValidationError, match="TLS_CLIENT_CA_FILE needs TLS_CERT_FILE and TLS_KEY_FILE"):
        ModelServerSettings(tls_client_ca_file=files["authority"])


def test_the_gateway_s_files_need_https(files: dict[str, Path]) -> None:
    with pytest.raises(
        ValidationError, match="MODEL_SERVER_URL must begin with https:// for MODEL_SERVER_CA_FILE"
    ):
        GatewaySettings(model_server_ca_file=files["authority"])
