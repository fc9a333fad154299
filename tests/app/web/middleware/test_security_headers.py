"""Tests that every response has the headers which tell browsers to be careful."""

import asyncio
from typing import Any

import pytest

from app.web.middleware.security_headers import SecurityHeaders
from tests.app.live_service import Live

ADDED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/live", 200),
        ("HEAD", "/models", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/ideal/cat?steps=1&crops=0", 200),
        ("GET", "/docs/files/swagger-ui.css", 200),
        ("GET", "/nothing", 404),
        ("DELETE", "/classify", 405),
        ("POST", "/classify", 415),
        ("GET", "/ideal/cat?stepz=1", 422),
    ],
)
def test_every_response_has_the_headers_once(live: Live, method: str, path: str, status: int) -> None:
    content = b"no picture" if status == 415 else None
    response = live.client.request(method, path, content=content, headers={"Content-Type": "image/png"})
    assert response.status_code == status
    for name, value in ADDED.items():
        assert response.headers.get_list(name) == [value]


def sent_by(scope: dict[str, Any], message: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The message as an application sends it and as the server receives it."""
    received: list[Any] = []

    async def application(_scope: object, _receive: object, send: Any) -> None:
        await send(message)

    async def send(sent: Any) -> None:
        received.append(sent)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    asyncio.run(SecurityHeaders(application)(scope, receive, send))
    return message, received[0]


def test_a_policy_of_the_response_itself_counts() -> None:
    """The other headers are added to it. The headers of the application's own message are left as they are."""
    policy = (b"content-security-policy", b"default-src 'self'")
    sent, received = sent_by({"type": "http"}, {"type": "http.response.start", "status": 200, "headers": [policy]})
    assert sent["headers"] == [policy]
    names = [name for name, _ in received["headers"]]
    assert received["headers"][0] == policy and names.count(b"content-security-policy") == 1
    assert {b"x-content-type-options", b"referrer-policy"} <= set(names)


def test_bodies_and_other_connections_are_passed_on() -> None:
    for kind, message in (("http", {"type": "http.response.body"}), ("lifespan", {"type": "lifespan.startup"})):
        sent, received = sent_by({"type": kind}, message)
        assert received is sent
