"""Where the service is: the parts of its address, and the key that it may ask for."""

import os
import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from mirage.errors import BadAddress

DEFAULT_URL = "http://127.0.0.1:8000"
"""Where `make serve` and `mirage serve` start the service."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that are this machine, which no proxy can reach."""


@dataclass(frozen=True)
class Address:
    """The address of a service. `socket` is the path of a unix socket, or empty."""

    url: str
    socket: str = ""
    api_key: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str | None, api_key: str | None) -> Self:
        """The address that is given, or else that of the variables MIRAGE_URL and MIRAGE_API_KEY, or the default.

        Raises BadAddress.
        """
        url = (url or os.environ.get("MIRAGE_URL") or DEFAULT_URL).strip()
        key = (os.environ.get("MIRAGE_API_KEY", "") if api_key is None else api_key).strip()
        if re.search(r"[^!-~]", key):
            raise BadAddress("the API key has characters that no key has: copy it again, without quotes")
        if url.startswith("unix:"):
            if not (path := url.removeprefix("unix:").removeprefix("//")):
                raise BadAddress("unix: needs the path of the service's socket, for example unix:/run/mirage.sock")
            return cls("http://localhost", path, key)
        return cls(_checked(url), "", key)

    @property
    def is_local(self) -> bool:
        """Whether the service is on this machine."""
        return bool(self.socket) or urlsplit(self.url).hostname in LOOPBACK

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket else self.url


def _checked(url: str) -> str:
    shown = re.sub(r"^(.*?//)?.*@", r"\1...@", url)  # without a password
    advice = "give it as http://HOST:PORT, for example http://127.0.0.1:8000, or as unix:/PATH"
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        parts, valid = urlsplit(""), False
    if not valid or re.search(r"[^!-~]", url):
        raise BadAddress(f"{shown!r} is no address of a service: {advice}")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise BadAddress(f"the address has a query, a fragment or a user name, which a service has not: {advice}")
    return url.rstrip("/")
