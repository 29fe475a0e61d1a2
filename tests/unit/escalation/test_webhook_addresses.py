"""Where a webhook may go."""

from ipaddress import ip_address

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
