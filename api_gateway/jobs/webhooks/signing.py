"""Signatures of Standard Webhooks 1.0 (https://www.standardwebhooks.com), and the secrets of the setting."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Sequence

from pydantic import SecretStr

_ENTRY = re.compile(r"(?:([a-z0-9][a-z0-9-]{0,31}):)?whsec_([A-Za-z0-9+/]+={0,2})")
_LEAST_BYTES, _MOST_BYTES = 24, 64


def secret_faults(entries: Sequence[SecretStr]) -> Iterator[str]:
    """What is wrong with the entries, without quoting any."""
    for place, entry in enumerate(entries, 1):
        try:
            _read(entry)
        except ValueError as fault:
            yield f"secret {place} of {len(entries)} {fault}"


def secrets_of(tenant: str, entries: Iterable[SecretStr]) -> list[bytes]:
    """The secrets that sign this tenant's webhooks: its own, or else those without a name."""
    read = [_read(entry) for entry in entries]
    own = [secret for name, secret in read if name == tenant]
    return own or [secret for name, secret in read if name is None]


def signed_headers(secrets: Sequence[bytes], hook_id: str, sent: int, body: bytes) -> dict[str, str]:
    """`sent` is in seconds since 1970. One signature per secret: the receiver looks for one that it can verify."""
    signed = b"%b.%d.%b" % (hook_id.encode(), sent, body)
    signatures = (hmac.new(secret, signed, hashlib.sha256) for secret in secrets)
    return {
        "webhook-id": hook_id,
        "webhook-timestamp": str(sent),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(found.digest()).decode()}" for found in signatures),
    }


def _read(entry: SecretStr) -> tuple[str | None, bytes]:
    """The name, if there is one, and the secret's bytes.

    Raises:
        ValueError: with a text that does not quote the secret.
    """
    found = _ENTRY.fullmatch(entry.get_secret_value())
    if not found:
        raise ValueError("is not whsec_ and base64, or NAME:whsec_ and base64")
    try:
        secret = base64.b64decode(found[2] + "=" * (-len(found[2]) % 4), validate=True)
    except binascii.Error:
        raise ValueError("is not base64 after whsec_") from None
    if not _LEAST_BYTES <= len(secret) <= _MOST_BYTES:
        raise ValueError(f"has {len(secret)} bytes: {_LEAST_BYTES} to {_MOST_BYTES} are allowed")
    return found[1], secret
