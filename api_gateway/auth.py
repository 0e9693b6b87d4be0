"""API keys, if any are set: sent as `Authorization: Bearer KEY`, compared in constant time, never logged.

The name of a request's key is its tenant, whose jobs it may see. Without keys, all requests have the tenant "".
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_gateway.contracts.table import CONTRACTS, contract_of
from api_gateway.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from api_gateway.keys import ApiKey

_bearer = HTTPBearer(auto_error=False, description="An API key, if the gateway requires one.")


class AcceptedKey(NamedTuple):
    digest: bytes
    tenant: str


def digests(keys: Iterable[ApiKey]) -> Sequence[AcceptedKey]:
    """What `key_check` compares with.

    Clients send a key that is not ASCII as UTF-8 or as Latin-1: both are accepted.
    """
    return [AcceptedKey(_digest(form), key.tenant) for key in keys for form in _forms(key.secret)]


def key_check(
    accepted: Callable[[], Sequence[AcceptedKey]],
) -> Callable[[Request, HTTPAuthorizationCredentials | None], Coroutine[None, None, None]]:
    """A dependency that raises `Unauthorized` unless the request has a key that is `accepted` now."""

    async def check(
        request: Request,
        _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],  # in the OpenAPI document
    ) -> None:
        given = _digest(_credentials(request))
        # Every key is compared, so that the time taken reveals nothing.
        matches = [key for key in accepted() if hmac.compare_digest(given, key.digest)]
        if not matches:
            own = _own_header(request)
            raise Unauthorized(own and f"An API key is required: {own.title()}: KEY.")
        request.state.tenant = matches[0].tenant

    return check


def tenant_of(request: Request) -> str:
    """The name of the request's key, after `key_check`."""
    name: str = getattr(request.state, "tenant", "")
    return name


def _credentials(request: Request) -> bytes:
    """The bytes after `Bearer`, or in the header that the path's contract has for it.

    FastAPI's own text lacks a last byte A0 or 85: it strips these as blanks.
    """
    own = _own_header(request)
    if own is not None and own in request.headers:
        return request.headers[own].encode("latin-1").strip(b" \t")
    header = request.headers.get("authorization", "").encode("latin-1")
    scheme, _, credentials = header.partition(b" ")
    return credentials.strip(b" \t") if scheme.lower() == b"bearer" else b""


def _own_header(request: Request) -> str | None:
    """The header that the path's contract has for keys."""
    name = contract_of(request.url.path)
    return CONTRACTS[name].key_header if name else None


def _forms(key: str) -> set[bytes]:
    return {key.encode()} | ({key.encode("latin-1")} if max(key) <= "\xff" else set())


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
