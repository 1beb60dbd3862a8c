"""Which addresses the media of strangers may be fetched from: public ones. Pure.

A URL that a user names is fetched from inside our network, where it can reach what they cannot:
metadata services, databases, routers. So the address is judged, not the name, and the connection
goes to the address that was judged (docs/submit.md).
"""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

# `is_global` of older Pythons is wrong about some (CVE-2024-4032), so these are named.
_DENIED = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        # 168.63.129.16: Azure's platform services, outside every private range.
        "168.63.129.16/32",
        # Of IPv6 all but 2000::/3, which alone is given out, and of that what is special.
        *("::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
# What an IPv6-only network calls an IPv4 address (RFC 6052); the last four bytes are that address.
_NAT64 = IPv6Network("64:ff9b::/96")
# What the resolvers of systems take for an IPv4 address: 127.1, 0x7f.1, 2130706433, 0177.0.0.1.
_NUMERIC = re.compile(r"(?:\d+|0x[0-9a-f]*)", re.IGNORECASE)


def is_public(address: Address) -> bool:
    """Whether *address* is one that anybody on the internet could reach, too."""
    inner = _ipv4_inside(address)
    if inner is not None:
        return is_public(inner)
    denied = any(address.version == each.version and address in each for each in _DENIED)
    return address.is_global and not address.is_multicast and not denied


def is_loopback(address: Address) -> bool:
    """Whether *address* is this machine's own."""
    inner = _ipv4_inside(address)
    return (inner or address).is_loopback


def _ipv4_inside(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def literal(host: str) -> Address | None:
    """The address that *host* is, or ``None`` if it is a name.

    Raises:
        ValueError: it is a number that only some resolvers take for an address.
    """
    host = host.removesuffix(".")
    try:
        return parsed(host)
    except ValueError:
        if _NUMERIC.fullmatch(host.rpartition(".")[2]):
            raise
    return None


def parsed(text: str) -> Address:
    """An address as a resolver gives it; the zone of a link-local one is left out.

    Raises:
        ValueError: *text* is none.
    """
    return ipaddress.ip_address(text.partition("%")[0])
