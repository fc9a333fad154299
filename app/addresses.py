"""Parsers of settings that name origins, path prefixes, networks and hosts; what tells addresses of clients apart."""

import ipaddress
import re
from urllib.parse import urlsplit

PATH_SEGMENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._~@:+,=-]+"
"""Pattern of one segment of a path, other than `.` and `..`."""

PREFIX = re.compile(rf"(?:/{PATH_SEGMENT})*")
HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> str:
    """The origin as browsers write it in the header Origin, or `*`; raises ValueError if it is not an origin."""
    if text in ("*", "null"):
        return text
    advice = f"{text[:100]!r} is not an origin: write only scheme, host and port, for example http://localhost:3000"
    scheme, separator, rest = text.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) or re.search(r"[/?#@*\s\\]", rest):
        raise ValueError(advice)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        name = f"[{host}]" if ":" in host else host.encode("idna").decode()
    except ValueError as error:
        raise ValueError(advice) from error
    if not name:
        raise ValueError(advice)
    suffix = "" if port is None or port == DEFAULT_PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{name}{suffix}"


def parse_prefix(text: str) -> str:
    """The path as a prefix, such as `/mirage` or ''; raises ValueError for others, such as `//host` or `/a?b`."""
    prefix = text.strip().removesuffix("/")
    if not PREFIX.fullmatch(prefix):
        raise ValueError(
            f"{text[:100]!r} is not a path prefix: write one such as /mirage, of letters, digits and . _ ~ @ : + , = -"
        )
    return prefix


def parse_network(text: str) -> str:
    """The IP address, the network or `*`; raises ValueError for host names, which are not looked up."""
    if text != "*":
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise ValueError(
                f"{text[:100]!r} is not an IP address or network ({error}): write for example 10.0.0.7, 10.0.0.0/8 or *"
            ) from error
    return text


def parse_host(text: str) -> str:
    """The host name in lower case, or `*.name` for all subdomains; raises ValueError for others and for a port."""
    name = text.lower()
    if name != "*" and not (HOST.fullmatch(name.removeprefix("*.")) and not re.search(r":\d+$", name)):
        raise ValueError(
            f"{text[:100]!r} is not a host name: write one such as example.com or *.example.com, without a port"
        )
    return name


def network_of(address: str) -> str:
    """The IPv4 address, the network of 64 bits of an IPv6 address, or the text if it is no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))
