"""Where a webhook may go."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest

from escalation.domain.addresses import AddressRefused, check_addresses, check_url, read_networks, read_url


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("10.1.2.3", id="private"),
        pytest.param("172.16.0.1", id="private, 172"),
        pytest.param("192.168.1.1", id="private, 192"),
        pytest.param("169.254.169.254", id="metadata of a cloud"),
        pytest.param("168.63.129.16", id="platform of a cloud, at a public address"),
        pytest.param("100.100.100.200", id="metadata in the space of carriers"),
        pytest.param("0.0.0.0", id="unspecified"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("192.0.2.1", id="documentation"),
        pytest.param("::1", id="loopback, IPv6"),
        pytest.param("fe80::1", id="link-local, IPv6"),
        pytest.param("fd00:ec2::254", id="metadata, IPv6"),
        pytest.param("ff02::1", id="multicast, IPv6"),
        pytest.param("::ffff:127.0.0.1", id="loopback, mapped"),
        pytest.param("::7f00:1", id="loopback, as IPv6 once wrote it"),
        pytest.param("64:ff9b::a01:203", id="private, through NAT64"),
        pytest.param("2002:7f00:1::", id="loopback, through 6to4"),
    ],
)
def test_refuses_what_is_no_public_address(address: str) -> None:
    with pytest.raises(AddressRefused, match="private, local or reserved"):
        check_addresses([ip_address(address)], scheme="https", allowed=())


def words(text: str) -> list[str]:
    return text.split()


# The IANA IPv4 and IPv6 Special-Purpose Address Registries: what is "globally reachable" there, and what is not, or
# "N/A". 64:ff9b::/96 is NAT64, and as good as the address behind it.
NOT_REACHABLE = words("""
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
192.0.0.8/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.88.99.0/24 192.88.99.2/32 192.168.0.0/16 198.18.0.0/15
198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 255.255.255.255/32
::1/128 ::/128 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:2::/48 2001:10::/28 2001:db8::/32
2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10
""")
# Those in 192.0.0.0/24 and 2001::/23 belong to protocols, and nobody's webhook is there.
REACHABLE = ["192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "2620:4f:8000::/48"]
OF_PROTOCOLS = words("""
192.0.0.9/32 192.0.0.10/32 2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:3::/32 2001:4:112::/48 2001:20::/28
2001:30::/28
""")
BESIDE = words("""
1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0
198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
2000:ffff:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2003:: 3ffe:ffff:: 3fff:1000::
""")


@pytest.mark.parametrize("knows", [pytest.param(True, id="as Python knows them"), pytest.param(False, id="by itself")])
@pytest.mark.parametrize("network", [*NOT_REACHABLE, *OF_PROTOCOLS])
def test_refuses_what_the_registries_do_not_call_reachable(
    network: str, knows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not knows:
        for kind in (IPv4Address, IPv6Address):
            monkeypatch.setattr(kind, "is_global", property(lambda _: True))
    special = ip_network(network)
    for address in (special[0], special[special.num_addresses // 2], special[-1]):
        written = [address]
        if isinstance(address, IPv4Address):
            written += [IPv6Address(f"::ffff:{address}"), IPv6Address(f"64:ff9b::{address}")]
            written += [IPv6Address(0x2002 << 112 | int(address) << 80)]
        for one in written:
            with pytest.raises(AddressRefused, match="private, local or reserved"):
                check_addresses([one], scheme="https", allowed=())


@pytest.mark.parametrize("address", [*BESIDE, *(str(ip_network(network)[1]) for network in REACHABLE)])
def test_takes_what_is_beside_them(address: str) -> None:
    check_addresses([ip_address(address)], scheme="https", allowed=())
    if "." in address:
        written = [ip_address(f"::ffff:{address}"), ip_address(f"64:ff9b::{address}")]
        check_addresses(written, scheme="https", allowed=())


@pytest.mark.parametrize(
    "url", ["https://192.0.0.8/", "https://192.0.0.192/", "https://192.88.99.1/", "https://[3fff::1]/"]
)
def test_refuses_urls_of_them(url: str) -> None:
    with pytest.raises(AddressRefused, match="private, local or reserved"):
        check_url(url, allowed=())


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://[v1.x]/", id="an address of no version"),
        pytest.param("https://.example.com/", id="an empty label"),
        pytest.param("https://a..example.com/", id="an empty label within"),
        pytest.param(f"https://{'a' * 64}.example.com/", id="a label that is too long"),
        pytest.param(f"https://{'a.' * 127}com/", id="a name that is too long"),
        pytest.param("https://-a.example.com/", id="a hyphen first"),
        pytest.param("https://a%2eb.example.com/", id="an escape"),
    ],
)
def test_refuses_names_that_no_host_has(url: str) -> None:
    with pytest.raises(AddressRefused, match="no name of a host"):
        check_url(url, allowed=())


@pytest.mark.parametrize("host", ["partner.example.com.", "x_y.example.com", "a-b.example.com", "3.example.com"])
def test_takes_names_that_hosts_have(host: str) -> None:
    check_url(f"https://{host}/", allowed=())


def test_takes_public_addresses() -> None:
    check_addresses(map(ip_address, ("93.184.216.34", "2606:2800:21f::1")), scheme="https", allowed=())


def test_refuses_a_name_that_leads_to_one_bad_address_among_good_ones() -> None:
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        check_addresses(map(ip_address, ("93.184.216.34", "10.0.0.1")), scheme="https", allowed=())


def test_takes_what_the_operator_allows_also_without_tls_and_only_that() -> None:
    allowed = read_networks("10.1.0.0/16, fd00::/8")

    check_addresses(map(ip_address, ("10.1.2.3", "fd00::1", "::ffff:10.1.2.3")), scheme="http", allowed=allowed)
    with pytest.raises(AddressRefused):
        check_addresses([ip_address("10.2.0.1")], scheme="https", allowed=allowed)
    with pytest.raises(AddressRefused, match="expected https"):
        check_addresses([ip_address("93.184.216.34")], scheme="http", allowed=allowed)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("ftp://example.com/", "expected a URL", id="another scheme"),
        pytest.param("https://localhost/", "within a network", id="this machine by name"),
        pytest.param("https://Printer.LOCAL./", "within a network", id="a name of the local network"),
        pytest.param("https://metadata.google.internal/", "within a network", id="a name of a cloud"),
        pytest.param("https://127.1/", "127.0.0.1 is a private", id="loopback, short"),
        pytest.param("https://2130706433/", "127.0.0.1 is a private", id="loopback as a number"),
        pytest.param("https://0x7f000001/", "127.0.0.1 is a private", id="loopback in hexadecimal"),
        pytest.param("https://0177.0.0.1/", "127.0.0.1 is a private", id="loopback in octal"),
        pytest.param("https://999.1.1.1/", "neither a name nor an address", id="no address"),
        pytest.param("https:///x", "expected a URL", id="no host"),
        pytest.param("http://example.com/", "expected https", id="no TLS"),
        pytest.param("https://ana:secret@example.com/", "no user or password", id="a password"),
        pytest.param("https://example.com/#x", "no fragment", id="a fragment"),
        pytest.param("https://example.com:0/", "a port from 1", id="port 0"),
        pytest.param("https://example.com:99999/", "expected a URL", id="no such port"),
        pytest.param("https://[::1]/", "private", id="a bad address"),
        pytest.param("https://169.254.169.254/latest", "private", id="metadata"),
        pytest.param("https://example.com/a\r\nHost: x", "percent-encoded", id="a line break"),
        pytest.param("https://example.com/\u00f1", "percent-encoded", id="beyond ASCII"),
        pytest.param("https://example.com\\@evil.example", "percent-encoded", id="two readings of the host"),
    ],
)
def test_refuses_urls_that_cannot_be(url: str, words: str) -> None:
    with pytest.raises(AddressRefused, match=words):
        check_url(url, allowed=())


def test_reads_where_a_url_leads() -> None:
    place = read_url("https://partner.example.com/plazo?x=1")

    assert (place.scheme, place.host, place.port) == ("https", "partner.example.com", 443)
