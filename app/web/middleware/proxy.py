"""Middleware for a service behind a reverse proxy: path prefix, host, scheme and client as the proxy reports them.

Only the headers of trusted proxies count.
"""

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
    """Makes redirects relative: the host in a request may be an internal one that clients cannot reach."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_relative(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "Location" in headers:
                    path = urlsplit(headers["Location"])._replace(scheme="", netloc="")
                    headers["Location"] = "/" + path.geturl().lstrip("/")  # browsers read `//x` as the host x
            await send(message)

        await self.app(scope, receive, send_relative)


class BehindProxy:
    """Sets scheme, client, host and path prefix (root_path) from the setting and the headers of trusted proxies.

    The proxy may have removed the prefix from the path or not. `trusted` are IP addresses and networks, or `*`.
    """

    def __init__(self, app: ASGIApp, root_path: str, trusted: Sequence[str]) -> None:
        self.root_path = root_path
        # uvicorn's middleware sets scheme and client. It must run after this one, which needs the proxy's own address.
        self.app = ProxyHeadersMiddleware(app, list(trusted))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)  # type: ignore[arg-type]
        client = _unmapped(scope["client"][0]) if scope.get("client") else None
        prefix = self.root_path
        # Changes the scope of the server itself, so that its access log shows the address of the client.
        if client is not None:
            scope["client"] = (client, scope["client"][1])
        if client in self.app.trusted_hosts:
            prefix = _forwarded_prefix(scope, self.root_path)
            scope["headers"] = _with_forwarded_host(scope)
        if prefix:
            _add_prefix(scope, prefix)
        await self.app(scope, receive, send)  # type: ignore[arg-type]


def _unmapped(host: str) -> str:
    """The IPv4 address in an IPv6 address such as ::ffff:127.0.0.1; other hosts as they are."""
    try:
        mapped = getattr(ipaddress.ip_address(host), "ipv4_mapped", None)
    except ValueError:
        return host
    return host if mapped is None else str(mapped)


def _forwarded_prefix(scope: Scope, default: str) -> str:
    """The path prefix in X-Forwarded-Prefix, joined if several proxies added one; the default if it is not valid."""
    headers = Headers(scope=scope).getlist("X-Forwarded-Prefix")
    try:
        prefix = "".join(parse_prefix(prefix) for header in headers for prefix in header.split(","))
    except ValueError:
        return default
    return prefix or default


def _with_forwarded_host(scope: Scope) -> list[tuple[bytes, bytes]]:
    host = Headers(scope=scope).get("X-Forwarded-Host", "").split(",")[0].strip()
    headers: list[tuple[bytes, bytes]] = list(scope["headers"])
    if HOST.fullmatch(host):
        MutableHeaders(raw=headers)["Host"] = host
    return headers


def _add_prefix(scope: Scope, prefix: str) -> None:
    """Put the prefix before the path, where ASGI expects it, unless the proxy has left it there."""
    scope["root_path"] = prefix
    if scope["path"] == prefix:
        scope["path"] += "/"
    if not scope["path"].startswith(prefix + "/"):
        scope["path"] = prefix + scope["path"]
        if (raw := scope.get("raw_path")) is not None:
            scope["raw_path"] = prefix.encode() + raw


class UnknownHost(HTTPException):
    """The Host header names a host that is not in MIRAGE_TRUSTED_HOSTS."""

    def __init__(self, host: str) -> None:
        super().__init__(
            400,
            f"the service does not accept requests for the host {host[:100]!r}: use one of its own host names, or ask "
            "the operator to add this one to MIRAGE_TRUSTED_HOSTS",
        )


class TrustedHosts:
    """Accepts only requests for these hosts (`*.example.com` means all subdomains), and health probes for any host."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "*" not in self.hosts:
            header = Headers(scope=scope).get("Host", "")
            name = re.sub(r":[0-9]*$", "", header).lower()
            is_probe = scope["path"].removeprefix(scope.get("root_path", "")).startswith("/health/")
            trusted = any(name == host or (host.startswith("*.") and name.endswith(host[1:])) for host in self.hosts)
            if not trusted and not is_probe:
                return await problems.response(UnknownHost(header), Request(scope))(scope, receive, send)
        await self.app(scope, receive, send)
