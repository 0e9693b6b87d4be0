"""The gateway's address as its clients see it."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from service_kit.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

    from starlette.requests import Request

_HOST = re.compile(r"[A-Za-z0-9._~-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


def outside_url(request: Request, public_url: str, proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """Without a slash at its end: `public_url`, else what the request says.

    X-Forwarded-Proto and X-Forwarded-Host count only if the request comes from one of the `proxies`.

    Raises:
        BadRequest: the host is none.
    """
    if public_url:
        return public_url.rstrip("/")
    scheme, host = request.url.scheme, request.headers.get("host", "")
    if request.client is not None and _is_among(request.client.host, proxies):
        scheme = _first(request.headers.get("x-forwarded-proto")) or scheme
        host = _first(request.headers.get("x-forwarded-host")) or host
    if scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise BadRequest("The request's Host is not valid.")
    return f"{scheme}://{host}"


def _is_among(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:  # a socket without an address
        return False
    return any(found in network for network in networks)


def _first(header: str | None) -> str:
    """That of the proxy next to the client."""
    return (header or "").partition(",")[0].strip()
