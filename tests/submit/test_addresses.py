"""Which addresses are public, in all the ways in which one can be written."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.addresses import is_loopback, is_public, literal, parsed

if TYPE_CHECKING:
    import ipaddress

PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3"),  # noqa: S104 - addresses, not binds
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"),
    *("169.254.169.254", "169.254.0.1", "168.63.129.16", "192.0.0.192"),
    *("192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "192.88.99.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2001:0:1::1", "2001:db8::1", "100::1", "3fff::1"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.1", "100.63.255.255"),
    *("100.128.0.1", "223.255.255.255", "11.0.0.1"),
    *("2606:4700:4700::1111", "2a00:1450:4001:830::200e", "::ffff:8.8.8.8", "64:ff9b::808:808"),
]


@pytest.mark.parametrize("text", PRIVATE)
def test_what_only_we_could_reach_is_not_public(text: str) -> None:
    assert not is_public(parsed(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_what_anybody_could_reach_is_public(text: str) -> None:
    assert is_public(parsed(text))


def test_the_zone_of_a_link_local_address_makes_it_no_other() -> None:
    assert not is_public(parsed("fe80::1%eth0"))


@pytest.mark.parametrize(
    ("text", "own"),
    [("127.0.0.1", True), ("::1", True), ("::ffff:127.9.9.9", True), ("8.8.8.8", False)],
)
def test_loopback_is_this_machine(text: str, own: bool) -> None:  # noqa: FBT001 - expected value
    assert is_loopback(parsed(text)) is own


@given(st.ip_addresses(v=4) | st.ip_addresses(network="2000::/3") | st.ip_addresses(v=6))
def test_nothing_that_python_calls_private_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    carries_another = address.version == 6 and int(address) >> 125 == 0
    if is_public(address) and not carries_another:
        assert address.is_global
        assert not address.is_private
        assert not address.is_multicast
        assert not address.is_reserved


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_by_itself(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:", "64:ff9b::"):
        assert is_public(parsed(f"{prefix}{address}")) == is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "127.1"),
        *("127.0.1", "0", "0x", "127.0.0.1.1", "256.0.0.1", "1.2.3.4.", "010.0.0.1", "2852039166"),
    ],
)
def test_numbers_that_a_resolver_might_take_for_an_address_are_no_hosts(host: str) -> None:
    if host == "1.2.3.4.":
        assert str(literal(host)) == "1.2.3.4"
        return
    with pytest.raises(ValueError, match="address"):
        literal(host)


def test_the_system_does_take_them() -> None:
    """Why they are refused before it is asked."""
    assert socket.inet_aton("2130706433") == socket.inet_aton("127.0.0.1")


@pytest.mark.parametrize("host", ["example.com", "localhost", "1e100.net", "0x7f.example", "a.1b"])
def test_names_are_names(host: str) -> None:
    assert literal(host) is None
