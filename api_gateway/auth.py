"""API keys, where any are set: shown as `Authorization: Bearer KEY`, compared in constant time, never logged."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Annotated

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_gateway.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

_bearer = HTTPBearer(auto_error=False, description="An API key, where the gateway asks for one.")


def key_check(
    keys: Iterable[str],
) -> Callable[[HTTPAuthorizationCredentials | None], Coroutine[None, None, None]]:
    """A dependency that lets a request pass if it shows one of the keys."""
    digests = [_digest(key) for key in keys]

    async def check(shown: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> None:
        given = _digest(shown.credentials if shown else "")
        # Every key is compared, so that the time taken does not tell which one was near.
        matches = sum(hmac.compare_digest(given, digest) for digest in digests)
        if not matches:
            raise Unauthorized

    return check


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
