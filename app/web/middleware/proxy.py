"""Behind a proxy: below which path the service is found, and as which host; believed of trusted proxies alone."""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.addresses import HOST, parse_prefix
from app.web import problems


class RelativeRedirects:
    """Redirects name the path alone: the host that the service is asked by may be one that only its proxy knows."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_relative(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "Location" in headers:
                    path = urlsplit(headers["Location"])._replace(scheme="", netloc="")
                    headers["Location"] = "/" + path.geturl().lstrip("/")  # `//x` would be a host
            await send(message)

        await self.app(scope, receive, send_relative)


class BehindProxy:
    """Sets scheme, client, host and path prefix (root_path) from the setting and from trusted proxies' headers.

    The path may come with the prefix or without it. `trusted` are addresses and networks, or `*`.
    """

    def __init__(self, app: ASGIApp, root_path: str, trusted: Sequence[str]) -> None:
        self.root_path = root_path
        # Scheme and client are uvicorn's to set; it would do so before this, and then the proxy's own address is lost.
        self.app = ProxyHeadersMiddleware(app, list(trusted))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)  # type: ignore[arg-type]
        client = _plain(scope["client"][0]) if scope.get("client") else None
        prefix = self.root_path
        # All of it in the server's own scope, so that its log has the client's address too.
        if client is not None:
            scope["client"] = (client, scope["client"][1])
        if client in self.app.trusted_hosts:
            prefix = _forwarded_prefix(scope, self.root_path)
            scope["headers"] = _with_forwarded_host(scope)
        if prefix:
            _put_below(scope, prefix)
        await self.app(scope, receive, send)  # type: ignore[arg-type]


def _plain(host: str) -> str:
    """An IPv4 address as such, where a socket for IPv6 has it as ::ffff:127.0.0.1."""
    try:
        mapped = getattr(ipaddress.ip_address(host), "ipv4_mapped", None)
    except ValueError:
        return host
    return host if mapped is None else str(mapped)


def _forwarded_prefix(scope: Scope, usual: str) -> str:
    """What X-Forwarded-Prefix says, of several proxies one below the other; `usual` where it says nothing sound."""
    headers = Headers(scope=scope).getlist("X-Forwarded-Prefix")
    try:
        prefix = "".join(parse_prefix(each) for header in headers for each in header.split(","))
    except ValueError:
        return usual
    return prefix or usual


def _with_forwarded_host(scope: Scope) -> list[tuple[bytes, bytes]]:
    host = Headers(scope=scope).get("X-Forwarded-Host", "").split(",")[0].strip()
    headers: list[tuple[bytes, bytes]] = list(scope["headers"])
    if HOST.fullmatch(host):
        MutableHeaders(raw=headers)["Host"] = host
    return headers


def _put_below(scope: Scope, prefix: str) -> None:
    """ASGI's `path` has the prefix, whether the proxy has left it there or not."""
    scope["root_path"] = prefix
    if scope["path"] == prefix:
        scope["path"] += "/"
    if not scope["path"].startswith(prefix + "/"):
        scope["path"] = prefix + scope["path"]
        if (raw := scope.get("raw_path")) is not None:
            scope["raw_path"] = prefix.encode() + raw


class UnknownHost(HTTPException):
    """A Host header that names another site."""

    def __init__(self, host: str) -> None:
        super().__init__(
            400,
            f"this service does not answer for the host {host[:100]!r}: use one of its own names, or have the operator "
            "add this one to MIRAGE_TRUSTED_HOSTS",
        )


class TrustedHosts:
    """Answers only requests to the named hosts (`*.example.com`: all below), and the probes, which ask by address."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "*" not in self.hosts:
            host = Headers(scope=scope).get("Host", "")
            name = re.sub(r":[0-9]*$", "", host).lower()
            probe = scope["path"].removeprefix(scope.get("root_path", "")).startswith("/health/")
            known = any(name == each or (each.startswith("*.") and name.endswith(each[1:])) for each in self.hosts)
            if not known and not probe:
                return await problems.response(UnknownHost(host), Request(scope))(scope, receive, send)
        await self.app(scope, receive, send)
