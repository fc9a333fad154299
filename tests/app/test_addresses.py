"""Tests the parsers of origins, path prefixes, networks and host names, and by what clients are told apart."""

import pytest

from app.addresses import network_of, parse_host, parse_network, parse_origin, parse_prefix


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://Example.COM", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("*", "*"),
        ("null", "null"),
    ],
)
def test_origins_are_normalised_as_browsers_write_them(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    ["localhost:3000", "example.com", "http://localhost:3000/", "http://a/b", "http://a?b", "https://*.example.com",
     "http://u@a", "http://", "http://a:port", "//a", "http:a", "http://a b", "http://a:99999", "http://a\\b"],
)  # fmt: skip
def test_a_malformed_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="for example http"):
        parse_origin(text)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("", ""), ("/", ""), ("/mirage", "/mirage"), ("/mirage/", "/mirage"), ("/a/b-c/d.e", "/a/b-c/d.e"),
     ("/user/me@x.org/proxy", "/user/me@x.org/proxy"), ("/...", "/...")],
)  # fmt: skip
def test_prefixes_lose_their_trailing_slash(text: str, prefix: str) -> None:
    assert parse_prefix(text) == prefix


@pytest.mark.parametrize(
    "text",
    ["mirage", "//evil.com", "/a//b", "/..", "/a/../b", "/.", "/a?b", "/a#b", "/a b", "/a\r\nX: y", '/"><script>',
     "/'", "/%2e%2e", "\\evil", "https://evil.com", "/a//"],
)  # fmt: skip
def test_a_malformed_prefix_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write one such as /mirage"):
        parse_prefix(text)


def test_networks_and_hosts_are_parsed_or_refused() -> None:
    for text in ("127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "*"):
        assert parse_network(text) == text
    for text in ("localhost", "10.0.0.1/8", "300.1.1.1", "proxy.example"):
        with pytest.raises(ValueError, match=r"write for example 10\.0\.0\.7"):
            parse_network(text)
    assert [parse_host(text) for text in ("Example.com", "*.example.com", "*", "[::1]")] == [
        "example.com", "*.example.com", "*", "[::1]"
    ]  # fmt: skip
    for text in ("http://a", "a:80", "a.*", "", "*.", "a/b"):
        with pytest.raises(ValueError, match="without a port"):
            parse_host(text)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("unix", "unix"),
        ("x" * 5000, "x" * 100),
    ],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    """64 bits of an IPv6 address; a text that a proxy has sent in place of an address is kept, but not all of it."""
    assert network_of(address) == network
