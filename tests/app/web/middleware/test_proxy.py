"""Tests the service behind a proxy: prefix, host and scheme, and which proxies are trusted."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from app.web.middleware.proxy import BehindProxy
from tests.app.live_service import Live, serve

HOSTILE = ["//evil.com", "https://evil.com", "/..", "/a/../b", "/a//b", "mirage", '/"><script>', "/'", "/%2e", "/a b"]


async def answer_with_scope(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that responds with the scope that it gets."""
    request = Request(scope)
    received = {
        "root": scope.get("root_path", ""),
        "path": scope["path"],
        "url": str(request.url),
        "client": scope["client"],
    }
    await JSONResponse(received)(scope, receive, send)


async def ask(path: str, headers: dict[str, str], client: str = "127.0.0.1", **options: Any) -> dict[str, Any]:
    middleware = BehindProxy(answer_with_scope, options.get("root_path", ""), options.get("trusted", ("127.0.0.1",)))
    transport = httpx.ASGITransport(middleware, client=(client, 1))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as http_client:
        received: dict[str, Any] = (await http_client.get(path, headers=headers)).json()
        return received


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/docs", "/mirage/docs"])
async def test_a_proxy_may_strip_the_prefix_or_not(path: str) -> None:
    for options in ({"headers": {"X-Forwarded-Prefix": "/mirage"}}, {"headers": {}, "root_path": "/mirage"}):
        received = await ask(path, **options)  # type: ignore[arg-type]
        assert (received["root"], received["path"]) == ("/mirage", "/mirage/docs")


@pytest.mark.anyio
async def test_prefixes_of_two_proxies_are_joined() -> None:
    assert (await ask("/x", {"X-Forwarded-Prefix": "/a, /b/"}))["root"] == "/a/b"


@pytest.mark.anyio
@pytest.mark.parametrize("prefix", HOSTILE)
async def test_a_malformed_prefix_is_ignored(prefix: str) -> None:
    assert (await ask("/x", {"X-Forwarded-Prefix": prefix}))["root"] == ""
    assert (await ask("/x", {"X-Forwarded-Prefix": prefix}, root_path="/m"))["root"] == "/m"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("client", "trusted", "is_trusted"),
    [
        ("127.0.0.1", ("127.0.0.1",), True),
        ("::ffff:127.0.0.1", ("127.0.0.1",), True),
        ("10.1.2.3", ("127.0.0.1", "10.0.0.0/8"), True),
        ("fd00::7", ("fd00::/8",), True),
        ("8.8.8.8", ("*",), True),
        ("8.8.8.8", ("127.0.0.1",), False),
        ("11.1.2.3", ("10.0.0.0/8",), False),
        ("127.0.0.1", (), False),
    ],
)
async def test_only_headers_of_trusted_proxies_are_used(
    client: str, trusted: tuple[str, ...], is_trusted: bool
) -> None:
    """X-Forwarded-For with a trusted address does not make a client trusted."""
    headers = {
        "X-Forwarded-Prefix": "/m",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "www.example.org",
        "X-Forwarded-For": "127.0.0.1" if not is_trusted else "1.2.3.4",
    }
    received = await ask("/x", headers, client, trusted=trusted)
    expected = ("/m", "https://www.example.org/m/x") if is_trusted else ("", "http://inside/x")
    assert (received["root"], received["url"]) == expected
    assert received["client"][0] == ("1.2.3.4" if is_trusted else client)


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["evil.com/x", "a b", "a\\b", "u@a", "", "a:b"])
async def test_a_malformed_host_is_ignored(host: str) -> None:
    assert (await ask("/x", {"X-Forwarded-Host": host}))["url"] == "http://inside/x"


def test_every_link_of_a_page_has_the_prefix(live: Live) -> None:
    """The links work behind a proxy that strips the prefix and behind one that does not."""
    headers = {"X-Forwarded-Prefix": "/mirage"}
    for path in ("/docs", "/mirage/docs", "/", "/mirage", "/mirage/"):
        page = live.client.get(path, headers=headers).text
        links = [*re.findall(r'(?:src|href)="([^"]+)"', page), *re.findall(r"url: '([^']+)'", page)]
        assert len(links) == (4 if path.endswith("docs") else 10) and all(link.startswith("/mirage/") for link in links)
        for link in links:
            for link_path in (link, link.removeprefix("/mirage")):
                assert live.client.get(link_path, headers=headers).status_code == 200, link_path
    assert live.client.get("/openapi.json", headers=headers).json()["servers"] == [{"url": "/mirage"}]
    assert "servers" not in live.client.get("/openapi.json").json()


@pytest.mark.parametrize("path", ["/health/live/", "/mirage/health/live/", "/health/live/?a=1"])
def test_a_redirect_has_no_host(live: Live, path: str) -> None:
    """By default Nginx sends its internal name of the service as Host, which a browser could not resolve."""
    for extra_headers in ({}, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.org"}):
        response = live.client.get(
            path, headers={"Host": "inside:8000", "X-Forwarded-Prefix": "/mirage"} | extra_headers
        )
        expected = "/mirage/health/live" + ("?a=1" if "?" in path else "")
        assert (response.status_code, response.headers["Location"]) == (307, expected)


def test_a_malformed_prefix_is_never_part_of_a_page(live: Live) -> None:
    for prefix in HOSTILE:
        for path in ("/", "/docs"):
            page = live.client.get(path, headers={"X-Forwarded-Prefix": prefix})
            assert page.text == live.client.get(path).text, prefix


def test_only_trusted_hosts_are_served(checkpoints: Path) -> None:
    with serve(checkpoints=checkpoints, trusted_hosts=("example.com", "*.example.org", "[::1]")) as service:
        for host in ("example.com", "EXAMPLE.com:8000", "a.example.org", "a.b.example.org", "[::1]:8000"):
            assert service.client.get("/models", headers={"Host": host}).status_code == 200, host
        for host in ("evil.com", "example.org", "evilexample.com", "example.com.evil.com", "", "127.0.0.1"):
            response = service.client.get("/models", headers={"Host": host})
            assert (response.status_code, response.headers["Content-Type"]) == (400, "application/problem+json"), host
            assert "MIRAGE_TRUSTED_HOSTS" in response.json()["detail"]
        assert service.client.get("/health/live", headers={"Host": "10.0.0.7:8000"}).status_code == 200
