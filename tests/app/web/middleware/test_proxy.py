"""Behind a proxy: prefix, host and scheme; and whom to believe."""

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
    """An application that returns what it gets of the request."""
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
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as asking:
        received: dict[str, Any] = (await asking.get(path, headers=headers)).json()
        return received


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/docs", "/mirage/docs"])
async def test_with_the_prefix_or_stripped_of_it(path: str) -> None:
    for options in ({"headers": {"X-Forwarded-Prefix": "/mirage"}}, {"headers": {}, "root_path": "/mirage"}):
        seen = await ask(path, **options)  # type: ignore[arg-type]
        assert (seen["root"], seen["path"]) == ("/mirage", "/mirage/docs")


@pytest.mark.anyio
async def test_two_proxies_one_below_the_other() -> None:
    assert (await ask("/x", {"X-Forwarded-Prefix": "/a, /b/"}))["root"] == "/a/b"


@pytest.mark.anyio
@pytest.mark.parametrize("prefix", HOSTILE)
async def test_a_hostile_prefix_is_as_none(prefix: str) -> None:
    assert (await ask("/x", {"X-Forwarded-Prefix": prefix}))["root"] == ""
    assert (await ask("/x", {"X-Forwarded-Prefix": prefix}, root_path="/m"))["root"] == "/m"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("client", "trusted", "believed"),
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
async def test_only_trusted_proxies_are_believed(client: str, trusted: tuple[str, ...], believed: bool) -> None:
    """The claim to come from a trusted address is itself such a header."""
    headers = {
        "X-Forwarded-Prefix": "/m",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "www.example.org",
        "X-Forwarded-For": "127.0.0.1" if not believed else "1.2.3.4",
    }
    seen = await ask("/x", headers, client, trusted=trusted)
    expected = ("/m", "https://www.example.org/m/x") if believed else ("", "http://inside/x")
    assert (seen["root"], seen["url"]) == expected
    assert seen["client"][0] == ("1.2.3.4" if believed else client)


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["evil.com/x", "a b", "a\\b", "u@a", "", "a:b"])
async def test_a_hostile_host_is_as_none(host: str) -> None:
    assert (await ask("/x", {"X-Forwarded-Host": host}))["url"] == "http://inside/x"


def test_every_link_below_the_prefix(live: Live) -> None:
    """As a browser follows them behind a proxy that strips the prefix, and behind one that does not."""
    below = {"X-Forwarded-Prefix": "/mirage"}
    for path in ("/", "/mirage", "/mirage/"):
        assert live.client.get(path, headers=below).headers["Location"] == "/mirage/docs"
    for path in ("/docs", "/mirage/docs"):
        page = live.client.get(path, headers=below).text
        links = [*re.findall(r'(?:src|href)="([^"]+)"', page), *re.findall(r"url: '([^']+)'", page)]
        assert len(links) == 4 and all(link.startswith("/mirage/") for link in links)
        for link in links:
            for seen in (link, link.removeprefix("/mirage")):
                assert live.client.get(seen, headers=below).status_code == 200, seen
    assert live.client.get("/openapi.json", headers=below).json()["servers"] == [{"url": "/mirage"}]
    assert "servers" not in live.client.get("/openapi.json").json()


@pytest.mark.parametrize("path", ["/health/live/", "/mirage/health/live/", "/health/live/?a=1"])
def test_a_redirect_names_no_host(live: Live, path: str) -> None:
    """Nginx, unless told otherwise, sends its own name of the service as Host, and puts its prefix before that name."""
    for more in ({}, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.org"}):
        answer = live.client.get(path, headers={"Host": "inside:8000", "X-Forwarded-Prefix": "/mirage"} | more)
        expected = "/mirage/health/live" + ("?a=1" if "?" in path else "")
        assert (answer.status_code, answer.headers["Location"]) == (307, expected)


def test_a_hostile_prefix_leads_nowhere(live: Live) -> None:
    for prefix in HOSTILE:
        answer = live.client.get("/", headers={"X-Forwarded-Prefix": prefix})
        assert answer.headers["Location"] == "/docs"
        assert "evil" not in live.client.get("/docs", headers={"X-Forwarded-Prefix": prefix}).text


def test_trusted_hosts(checkpoints: Path) -> None:
    with serve(checkpoints=checkpoints, trusted_hosts=("example.com", "*.example.org", "[::1]")) as few:
        for host in ("example.com", "EXAMPLE.com:8000", "a.example.org", "a.b.example.org", "[::1]:8000"):
            assert few.client.get("/models", headers={"Host": host}).status_code == 200, host
        for host in ("evil.com", "example.org", "evilexample.com", "example.com.evil.com", "", "127.0.0.1"):
            answer = few.client.get("/models", headers={"Host": host})
            assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json"), host
            assert "MIRAGE_TRUSTED_HOSTS" in answer.json()["detail"]
        assert few.client.get("/health/live", headers={"Host": "10.0.0.7:8000"}).status_code == 200
