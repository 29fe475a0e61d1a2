"""Where a webhook may go: never into our own networks, unless the operator allows it."""

import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# All that the Internet routes of IPv6.
_UNICAST = IPv6Network("2000::/3")
# What IANA's registries of special-purpose addresses (RFC 6890) do not call globally reachable; of IPv6 what is within
# the space above. Here, because every version of Python knows another part of it. What is reachable nevertheless in
# 192.0.0.0/24 and 2001::/23 belongs to protocols, not to partners.
_NOT_REACHABLE = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, among them Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # not 64:ff9b:1::/48: where in it the address stands, each network says itself
# Answers as the platform to every machine of a cloud, though the address is a public one.
_PLATFORM = frozenset({IPv4Address("168.63.129.16")})
_LONGEST_URL = 2000
_LONGEST_NAME = 254  # its last dot included
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
# What no name of the Internet ends with (RFC 6761, RFC 6762, and what is reserved for private use).
_OURS = (".localhost", ".local", ".internal", ".home.arpa")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.IGNORECASE)


class AddressRefused(Exception):
    """A webhook may not be sent there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads."""

    scheme: str
    host: str
    port: int


def read_networks(text: str) -> tuple[Network, ...]:
    """Read networks with commas between them. :raises ValueError: naming the one that is none"""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def read_url(url: str) -> Place:
    """Return where a URL leads. :raises AddressRefused: saying what was expected of it"""
    if (
        len(url) > _LONGEST_URL
        or not url.isascii()
        or not url.isprintable()
        or any(one in url for one in ' \\"<>^`{|}')
    ):
        raise AddressRefused(f"expected at most {_LONGEST_URL} characters of ASCII, anything else percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"expected a URL such as https://partner.example.com/plazo: {error}") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise AddressRefused("expected a URL such as https://partner.example.com/plazo")
    if not _is_host(parts.hostname, is_bracketed="[" in parts.netloc):
        raise AddressRefused(f"{parts.hostname} is no name of a host: expected one such as partner.example.com")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("expected no user or password in the URL: deliveries are signed instead")
    if parts.fragment:
        raise AddressRefused("expected no fragment (#…) in the URL")
    if port == 0:
        raise AddressRefused("expected a port from 1 to 65535")
    return Place(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))


def _is_host(host: str, *, is_bracketed: bool) -> bool:
    """Tell whether a host can be looked up or reached at all (RFC 1123; an address of IPv6 in brackets, RFC 3986)."""
    if is_bracketed:
        return isinstance(_literal(host), IPv6Address)
    return len(host) <= _LONGEST_NAME and all(_LABEL.fullmatch(label) for label in host.removesuffix(".").split("."))


def check_url(url: str, *, allowed: Sequence[Network]) -> None:
    """Refuse what can be told from a URL alone; what its name leads to is asked at every connection.

    :raises AddressRefused: saying why
    """
    place = read_url(url)
    if place.scheme == "http" and not allowed:
        raise AddressRefused("expected https; http only leads into networks that PLAZO_WEBHOOK_ALLOWED_NETWORKS names")
    if (literal := _literal(place.host)) is not None:
        check_addresses([literal], scheme=place.scheme, allowed=allowed)
    elif not allowed and f".{place.host.rstrip('.').lower()}".endswith(_OURS):
        raise AddressRefused(f"{place.host} is a name within a network, not of the Internet")


def check_addresses(addresses: Iterable[Address], *, scheme: str, allowed: Sequence[Network]) -> None:
    """Refuse a name that leads, even with one of its addresses, to where no webhook may go.

    :raises AddressRefused: naming the address
    """
    for address in addresses:
        if any(one.version == network.version and one in network for one in _meant(address) for network in allowed):
            continue
        if scheme == "http":
            raise AddressRefused(f"{address}: expected https outside of PLAZO_WEBHOOK_ALLOWED_NETWORKS")
        if not all(_is_public(one) for one in _meant(address)):
            raise AddressRefused(f"{address} is a private, local or reserved address")


def _literal(host: str) -> Address | None:
    """Return the address that a host is, also one of the old ways to write it (`127.1`, `0x7f000001`)."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    if not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return None
    try:
        return IPv4Address(socket.inet_aton(host.rstrip(".")))
    except (OSError, ValueError):
        raise AddressRefused(f"{host} is neither a name nor an address") from None


def _meant(address: Address) -> tuple[Address, ...]:
    """Return the address, and the IPv4 address that it stands for where it is a way to write or reach one."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address, address.sixtofour)
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFF_FFFF),)
    return (address,)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    if address in _PLATFORM or address.is_multicast or not address.is_global:
        return False
    return not any(address.version == network.version and address in network for network in _NOT_REACHABLE)
