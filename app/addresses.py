"""What an operator writes of the world around: origins, path prefixes, proxies' addresses, host names; each checked."""

import ipaddress
import re
from urllib.parse import urlsplit

SEGMENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._~@:+,=-]+"
PREFIX = re.compile(rf"(?:/{SEGMENT})*")
HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
USUAL_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> str:
    """An origin as browsers write it in the header Origin, or `*`; raises ValueError for what is none."""
    if text in ("*", "null"):
        return text
    example = f"{text[:100]!r} is no origin: give scheme, host and port alone, for example http://localhost:3000"
    scheme, separator, rest = text.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) or re.search(r"[/?#@*\s\\]", rest):
        raise ValueError(example)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        name = f"[{host}]" if ":" in host else host.encode("idna").decode()
    except ValueError as error:
        raise ValueError(example) from error
    if not name:
        raise ValueError(example)
    shown = "" if port is None or port == USUAL_PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{name}{shown}"


def parse_prefix(text: str) -> str:
    """A path as a prefix, `/mirage` or ''; raises ValueError for what is none, such as `//host` or `/a?b`."""
    prefix = text.strip().removesuffix("/")
    if not PREFIX.fullmatch(prefix):
        raise ValueError(
            f"{text[:100]!r} is no path prefix: give one such as /mirage, of letters, digits and . _ ~ @ : + , = -"
        )
    return prefix


def parse_network(text: str) -> str:
    """An IP address or network, or `*`; raises ValueError for a name, which nothing would be compared with."""
    if text != "*":
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise ValueError(
                f"{text[:100]!r} is no IP address or network ({error}): give for example 10.0.0.7, 10.0.0.0/8 or *"
            ) from error
    return text


def parse_host(text: str) -> str:
    """A host name without port, or `*.name`; raises ValueError."""
    name = text.lower()
    if name != "*" and not (HOST.fullmatch(name.removeprefix("*.")) and not re.search(r":\d+$", name)):
        raise ValueError(f"{text[:100]!r} is no host name: give one such as example.com or *.example.com, with no port")
    return name
