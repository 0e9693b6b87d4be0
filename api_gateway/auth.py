"""API keys, if any are set: sent as `Authorization: Bearer KEY`, compared in constant time, never logged."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_gateway.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

_bearer = HTTPBearer(auto_error=False, description="An API key, if the gateway requires one.")


def digests(keys: Iterable[str]) -> Sequence[bytes]:
    """What `key_check` compares with.

    Clients send a key that is not ASCII as UTF-8 or as Latin-1: both are accepted.
    """
    return [_digest(form) for key in keys for form in _forms(key)]


def key_check(
    accepted: Callable[[], Sequence[bytes]],
) -> Callable[[Request, HTTPAuthorizationCredentials | None], Coroutine[None, None, None]]:
    """A dependency that raises `Unauthorized` unless the request has a key whose digest is `accepted` now."""

    async def check(
        request: Request,
        _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],  # in the OpenAPI document
    ) -> None:
        given = _digest(_credentials(request))
        # Every key is compared, so that the time taken reveals nothing.
        matches = sum(hmac.compare_digest(given, digest) for digest in accepted())
        if not matches:
            raise Unauthorized

    return check


def _credentials(request: Request) -> bytes:
    """The bytes after `Bearer`. FastAPI's own text lacks a last byte A0 or 85: it strips these as blanks."""
    header = request.headers.get("authorization", "").encode("latin-1")
    scheme, _, credentials = header.partition(b" ")
    return credentials.strip(b" \t") if scheme.lower() == b"bearer" else b""


def _forms(key: str) -> set[bytes]:
    return {key.encode()} | ({key.encode("latin-1")} if max(key) <= "\xff" else set())


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
