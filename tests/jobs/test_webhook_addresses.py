"""Which URLs of clients are accepted, and which addresses count as public."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.errors import BadWebhookUrl
from api_gateway.jobs.webhooks.addresses import Allowed, UnsafeUrl, check_addresses, check_url, is_public, parsed


@pytest.mark.parametrize(
    ("url", "host", "authority"),
    [
        ("https://hooks.example.com/x?y=1#part", "hooks.example.com", "hooks.example.com"),
        ("HTTPS://Hooks.Example.COM.:8443/", "hooks.example.com", "hooks.example.com:8443"),
        ("https://bücher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://a_b.example", "a_b.example", "a_b.example"),
        ("https://93.184.216.34/", "93.184.216.34", "93.184.216.34"),
        ("https://[2606:4700::6810:85e5]:444/", "2606:4700::6810:85e5", "[2606:4700::6810:85e5]:444"),
    ],
)
def test_a_url_of_a_public_host_is_accepted(url: str, host: str, authority: str) -> None:
    check_url(url, [])
    assert parsed(url).host == host
    assert parsed(url).authority == authority


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example.com/", "http is only for"),
        ("ftp://hooks.example.com/", "does not begin with https"),
        ("//hooks.example.com/", "does not begin with https"),
        ("hooks.example.com", "does not begin with https"),
        ("https:///path", "does not begin with https"),
        ("", "does not begin with https"),
        ("https://user:password@hooks.example.com/", "user name or a password"),
        ("https://user@hooks.example.com/", "user name or a password"),
        ("https://hooks.example.com:0/", "port"),
        ("https://hooks.example.com:70000/", "port|not a valid URL"),
        ("https://hooks.example.com:x/", "not a valid URL"),
        ("https://hooks.exam\nple.com/", "not a valid URL"),
        ("https://hooks exam.com/", "not a valid name"),
        ("https://hooks..com/", "not a valid name"),
        ("https://hooks%2eexample/", "not a valid name"),
        ("https://127.1/", "not a valid name"),
        ("https://2130706433/", "not a valid name"),
        ("https://0x7f.0.0.1/", "not a valid name"),
        ("https://0177.0.0.1/", "not a valid URL"),
        ("https://127.0.0.1/", "not public"),
        ("https://[::1]/", "not public"),
        ("https://[::ffff:127.0.0.1]/", "not public"),
        ("https://[fe80::1%25eth0]/", "not public"),
        (f"https://hooks.example.com/{'x' * 8192}", "more than 8192"),
    ],
)
def test_a_url_that_would_never_work_is_refused_at_once(url: str, why: str) -> None:
    with pytest.raises(BadWebhookUrl, match=why) as refusal:
        check_url(url, [])
    assert refusal.value.status == 400
    assert "password@" not in str(refusal.value)


PRIVATE = """
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.9.9.9 169.254.169.254 172.16.0.1
    172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1
    203.0.113.1 224.0.0.1 239.255.255.250 233.252.0.1 240.0.0.1 255.255.255.255 168.63.129.16
    :: ::1 ::7f00:1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:8.8.8.8 64:ff9b::7f00:1 64:ff9b::8.8.8.8
    64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:7f00:1:: 2002:808:808::1
    3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ff0e::1 4000::1
"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::1", "2001:4860::1"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4), st.sampled_from(["::", "::ffff:0:0", "64:ff9b::", "::ffff:0:0:0"]))
def test_no_ipv4_address_hides_in_ipv6(address: ipaddress.IPv4Address, prefix: str) -> None:
    hidden = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + int(address))
    assert not is_public(hidden)
    assert not is_public(ipaddress.IPv6Address((0x2002 << 112) + (int(address) << 80)))


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("https://10.1.2.3/", ["10.0.0.0/8"]),
        ("http://10.1.2.3/", ["10.0.0.0/8"]),
        ("https://127.0.0.1/", ["127.0.0.1"]),
        ("http://[fd00::1]/", ["fd00::/8"]),
        ("http://hooks.internal/", ["hooks.internal"]),
        ("http://a.b.internal:8080/", ["*.internal"]),
        ("http://hooks.internal/", ["10.0.0.0/8"]),  # decided by its addresses
    ],
)
def test_what_the_operator_allows_is_accepted(url: str, allow: list[str]) -> None:
    check_url(url, allow)


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("https://10.1.2.3/", ["10.1.2.4", "10.2.0.0/16"]),
        ("http://93.184.216.34/", ["10.0.0.0/8"]),
        ("http://internal/", ["*.internal"]),
        ("http://evilinternal/", ["*.internal"]),
        ("http://a.internal.example/", ["*.internal"]),
        ("https://[::ffff:10.1.2.3]/", ["10.0.0.0/8"]),
    ],
)
def test_what_is_not_allowed_stays_refused(url: str, allow: list[str]) -> None:
    with pytest.raises(BadWebhookUrl):
        check_url(url, allow)


def test_http_to_a_name_needs_all_its_addresses_in_allowed_networks() -> None:
    target, allowed = parsed("http://mixed.example/"), Allowed(["10.0.0.0/8"])
    check_addresses(target, [ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("10.9.0.1")], allowed)
    with pytest.raises(UnsafeUrl, match="http is only"):
        check_addresses(target, [ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("8.8.8.8")], allowed)
