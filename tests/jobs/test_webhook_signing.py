"""Signatures as a receiver with the library of Standard Webhooks verifies them, and the setting of the secrets."""

from __future__ import annotations

import base64
import time

import pytest
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from api_gateway.errors import BadWebhookUrl
from api_gateway.jobs.webhooks.request import check_webhook
from api_gateway.jobs.webhooks.signing import secrets_of, signed_headers
from api_gateway.settings import GatewaySettings

BODY = '{"type":"ocr.job.complete","data":{"id":"ü"}}'.encode()


def secret(byte: bytes, length: int = 32) -> str:
    return f"whsec_{base64.b64encode(byte * length).decode()}"


def headers(entries: list[str], tenant: str, sent: float | None = None) -> dict[str, str]:
    secrets = secrets_of(tenant, map(SecretStr, entries))
    return signed_headers(secrets, "msg_1", int(sent or time.time()), BODY)


def verifies(entry: str, signed: dict[str, str], body: bytes = BODY) -> bool:
    try:
        Webhook(entry).verify(body, signed)
    except WebhookVerificationError:
        return False
    return True


@pytest.mark.parametrize("length", [24, 25, 32, 64])
def test_the_library_verifies_what_is_signed_and_nothing_else(length: int) -> None:
    signed = headers([secret(b"a", length)], "")
    assert verifies(secret(b"a", length), signed)
    assert not verifies(secret(b"b", length), signed)
    assert not verifies(secret(b"a", length), signed, BODY + b" ")
    assert not verifies(secret(b"a", length), {**signed, "webhook-id": "msg_2"})
    assert not verifies(secret(b"a", length), {**signed, "webhook-timestamp": str(int(time.time()) - 1)})


def test_while_a_secret_changes_both_sign() -> None:
    signed = headers([secret(b"n"), secret(b"o")], "")
    assert verifies(secret(b"n"), signed)
    assert verifies(secret(b"o"), signed)


def test_a_secret_with_a_name_signs_for_that_name_alone_and_replaces_the_others() -> None:
    entries = [secret(b"c"), f"anna:{secret(b'a')}", f"bert:{secret(b'b')}"]
    assert [verifies(secret(byte), headers(entries, "anna")) for byte in (b"a", b"b", b"c")] == [
        True,
        False,
        False,
    ]
    assert [verifies(secret(byte), headers(entries, "carl")) for byte in (b"a", b"b", b"c")] == [
        False,
        False,
        True,
    ]
    assert secrets_of("carl", map(SecretStr, entries[1:])) == []


def test_base64_without_padding_is_the_same_secret() -> None:
    assert headers([secret(b"a", 25).rstrip("=")], "", 1.0) == headers([secret(b"a", 25)], "", 1.0)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("hunter2hunter2", "secret 1 of 1 is not whsec_ and base64"),
        ("whsec_not-base64!", "secret 1 of 1 is not whsec_ and base64"),
        (f"Anna:{secret(b'a')}", "secret 1 of 1 is not whsec_ and base64"),
        (f"{secret(b'a')},{secret(b'q', 23)}", "secret 2 of 2 has 23 bytes: 24 to 64 are allowed"),
        (secret(b"q", 65), "secret 1 of 1 has 65 bytes: 24 to 64 are allowed"),
    ],
)
def test_a_secret_that_is_not_valid_ends_the_start_and_is_not_shown(
    value: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_GATEWAY_WEBHOOK_SECRETS", value)
    with pytest.raises(ValidationError, match=f"WEBHOOK_SECRETS: {fault}") as refusal:
        GatewaySettings()
    shown = str(refusal.value.errors(include_input=False))
    assert value.rpartition(",")[2].rpartition("_")[2] not in shown


def test_an_exception_that_is_not_valid_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_GATEWAY_WEBHOOK_ALLOW", "10.0.0.0/8, *.internal, fd00::/8, hooks, 10.0.0.1/8, a_b!")
    with pytest.raises(ValidationError) as refusal:
        GatewaySettings()
    for wrong in ("10.0.0.1/8", "a_b!"):
        assert f"WEBHOOK_ALLOW: {wrong} is neither a host nor a network" in str(refusal.value)


def test_a_job_with_a_webhook_needs_a_secret_for_its_key() -> None:
    url = "https://hooks.example.com/"
    with pytest.raises(BadWebhookUrl, match="webhooks are not set up"):
        check_webhook(url, "anna", GatewaySettings())
    settings = GatewaySettings(webhook_secrets=(SecretStr(f"anna:{secret(b'a')}"),))
    check_webhook(url, "anna", settings)
    with pytest.raises(BadWebhookUrl, match="webhooks are not set up"):
        check_webhook(url, "bert", settings)
    with pytest.raises(BadWebhookUrl, match="not public"):
        check_webhook("https://10.0.0.1/", "anna", settings)
