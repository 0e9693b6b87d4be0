"""The address in links that clients call."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from starlette.requests import Request

from api_gateway.contracts.outside import outside_url
from service_kit.errors import BadRequest

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
FORWARDED = {"x-forwarded-proto": "https", "x-forwarded-host": "ocr.example"}


def outside(client: str | None = "192.0.2.1", public: str = "", scheme: str = "http", **headers: str) -> str:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {
        "type": "http", "scheme": scheme, "path": "/x", "query_string": b"", "server": ("1.2.3.4", 80),
        "client": client and (client, 5), "headers": raw,
    }  # fmt: skip
    return outside_url(Request(scope), public, PROXIES)


@pytest.mark.parametrize(
    ("host", "scheme"),
    [("gateway", "http"), ("gateway.example:8080", "http"), ("[::1]:80", "https"), ("127.0.0.1", "http")],
)
def test_the_host_of_the_request(host: str, scheme: str) -> None:
    assert outside(host=host, scheme=scheme) == f"{scheme}://{host}"


def test_a_public_url_comes_first() -> None:
    found = outside("10.1.2.3", "https://public.example/ocr/", host="inside", **FORWARDED)
    assert found == "https://public.example/ocr"
    assert outside(public="https://public.example", host="<bad>") == "https://public.example"


@pytest.mark.parametrize("client", ["10.1.2.3", "fd00::1"])
def test_a_proxy_tells_the_address(client: str) -> None:
    assert outside(client, host="inside", **FORWARDED) == "https://ocr.example"
    assert outside(client, host="inside", x_forwarded_proto="https") == "https://inside"
    assert outside(client, host="inside", x_forwarded_host="a.example:8443, b") == "http://a.example:8443"


@pytest.mark.parametrize("client", ["192.0.2.1", "11.0.0.1", "::1", None, "unix"])
def test_nobody_else_does(client: str | None) -> None:
    assert outside(client, host="inside", **FORWARDED) == "http://inside"


@pytest.mark.parametrize(
    "host", ["", "a b", "a/b", "evil.example/#", "user@host", "a:b", "a:123456", "\xfc", "a\\b", "[x]"]
)
def test_a_host_that_is_none(host: str) -> None:
    with pytest.raises(BadRequest, match="Host"):
        outside(host=host)
    with pytest.raises(BadRequest, match="Host"):
        outside("10.1.2.3", host="inside", x_forwarded_host=host or "?")


def test_a_scheme_that_is_none() -> None:
    with pytest.raises(BadRequest, match="Host"):
        outside("10.1.2.3", host="inside", x_forwarded_proto="javascript")


def test_no_host_at_all() -> None:
    with pytest.raises(BadRequest, match="Host"):
        outside()
