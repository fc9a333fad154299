"""Helpers for requests to POST /classify: requests that must fail, and requests with a raw body."""

from typing import Any

from tests.app.live_service import Live


def refusal(live: Live, status: int, **request: object) -> dict[str, object]:
    """Send a POST to /classify that must fail with this status, and return its problem details."""
    response = live.client.post("/classify", **request)  # type: ignore[arg-type]
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    details: dict[str, object] = response.json()
    assert details["status"] == status
    assert details["request_id"] == response.headers["X-Request-ID"]
    assert set(details) == {"type", "title", "status", "detail", "request_id"}
    return details


def raw(body: bytes, content_type: str | None = "image/png", **headers: str) -> dict[str, Any]:
    """Return arguments of httpx for a request with this body, this Content-Type and more headers."""
    return {"content": body, "headers": ({} if content_type is None else {"Content-Type": content_type}) | headers}
