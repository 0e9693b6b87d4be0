"""Where a request to a URL of a client may go: to public addresses, and to the hosts and networks of a setting.

A name may have other addresses at each look-up. So `check_url` only rejects what is certain to fail, and
`transport.py` checks the addresses to which it connects.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

import httpx

from api_gateway.errors import BadWebhookUrl

Address = IPv4Address | IPv6Address

LONGEST_URL = 8192  # presigned URLs are long
_NOT_NAMED = "its host is not one that the operator has allowed"
_NAME = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_HOST = re.compile(r"([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z]([a-z0-9-]*[a-z0-9])?")  # no number at the end
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Networks that `is_global` of some version of Python calls public, and addresses inside public networks that only
# a cloud's own machines reach.
_REFUSED: tuple[IPv4Network | IPv6Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # special purposes; metadata of Oracle's cloud
            "192.88.99.0/24",  # relays to IPv6
            "168.63.129.16/32",  # Azure's agent
            "2001::/23",  # special purposes, Teredo
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: contains any IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)


class UnsafeUrl(Exception):
    """The text says why a URL is not acceptable; it does not contain the URL."""


class Target(NamedTuple):
    """A URL's parts; `host` is in lower case, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int
    path: str  # with the query
    authority: str  # for the header Host


class Allowed:
    """What the operator has set: names, `*.names` and networks."""

    def __init__(self, entries: Iterable[str], *, only: bool = False) -> None:
        """The entries must have passed `faults`. `only`: they are no exceptions, nothing else is allowed."""
        self.only = only
        self._names: set[str] = set()
        self._suffixes: list[str] = []
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in entries:
            if (network := _network(entry)) is not None:
                self._networks.append(network)
            elif entry.startswith("*."):
                self._suffixes.append(entry[1:])
            else:
                self._names.add(entry)

    @staticmethod
    def faults(entries: Iterable[str]) -> Iterator[str]:
        """What is wrong with the entries of a setting."""
        for entry in entries:
            if _network(entry) is None and not _NAME.fullmatch(entry):
                yield f"{entry} is neither a host nor a network"

    def host(self, host: str) -> bool:
        """The host is named; it may have any address."""
        return host in self._names or any(host.endswith(suffix) for suffix in self._suffixes)

    def address(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    @property
    def has_networks(self) -> bool:
        return bool(self._networks)


def is_public(address: Address) -> bool:
    """Stricter than `is_global`, which lets multicast and several ways to write an IPv4 address in IPv6 pass."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _REFUSED)
    )


def check_url(url: str, allow: Sequence[str]) -> None:
    """Reject a webhook's URL to which nothing would be sent; no name is looked up.

    Raises:
        BadWebhookUrl.
    """
    try:
        check_target(parsed(url), Allowed(allow))
    except UnsafeUrl as fault:
        raise BadWebhookUrl(f"webhook_url takes an https URL of a public host: {fault}.") from None


def host_of(url: str) -> str:
    """The host by which requests are counted; empty for a URL that is not valid."""
    try:
        return parsed(url).host
    except UnsafeUrl:
        return ""


def parsed(url: str) -> Target:
    """The only reading of a URL: what is checked is what is connected to.

    Raises:
        UnsafeUrl.
    """
    if len(url) > LONGEST_URL:
        raise UnsafeUrl(f"it has more than {LONGEST_URL} characters")
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        raise UnsafeUrl("it is not a valid URL") from None
    host = found.raw_host.decode("ascii").lower().rstrip(".")
    address = literal(host)
    if found.scheme not in ("http", "https") or not host:
        raise UnsafeUrl("it does not begin with https:// and a host")
    if found.userinfo:
        raise UnsafeUrl("it contains a user name or a password")
    if address is None and not _HOST.fullmatch(host):
        raise UnsafeUrl("its host is not a valid name")
    port = found.port if found.port is not None else 443 if found.scheme == "https" else 80
    if not 0 < port < 65536:
        raise UnsafeUrl("its port is not valid")
    shown = f"[{host}]" if isinstance(address, IPv6Address) else host
    authority = shown if found.port is None else f"{shown}:{port}"
    return Target(found.scheme, host, port, found.raw_path.decode("ascii"), authority)


def check_target(target: Target, allowed: Allowed) -> None:
    """What can be said of a URL without looking its host up.

    Raises:
        UnsafeUrl.
    """
    if allowed.host(target.host):
        return
    address = literal(target.host)
    if address is not None:
        check_addresses(target, [address], allowed)
    elif allowed.only and not allowed.has_networks:
        raise UnsafeUrl(_NOT_NAMED)
    elif target.scheme == "http" and not allowed.has_networks:
        raise UnsafeUrl("http is only for hosts that the operator has allowed")


def check_addresses(target: Target, addresses: Iterable[Address], allowed: Allowed) -> None:
    """Each of the host's addresses must be acceptable: one that is not shows that the name is not to be trusted.

    Raises:
        UnsafeUrl.
    """
    if allowed.host(target.host):
        return
    for address in addresses:
        if allowed.address(address):
            continue
        if allowed.only:
            raise UnsafeUrl(_NOT_NAMED)
        if not is_public(address):
            raise UnsafeUrl("its host has an address that is not public")
        if target.scheme == "http":
            raise UnsafeUrl("http is only for hosts that the operator has allowed")


def literal(host: str) -> Address | None:
    """The address, if the host is written as one."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None
