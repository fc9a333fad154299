"""Requests to POST /classify that must fail, and requests whose body is given as bytes."""

from typing import Any

from tests.app.live_service import Live


def refusal(live: Live, status: int, **request: object) -> dict[str, object]:
    """The problem details of a POST to /classify, which must fail with the status."""
    response = live.client.post("/classify", **request)  # type: ignore[arg-type]
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    details: dict[str, object] = response.json()
    assert details["status"] == status
    assert details["request_id"] == response.headers["X-Request-ID"]
    assert set(details) == {"type", "title", "status", "detail", "request_id"}
    return details


def raw(body: bytes, content_type: str | None = "image/png", **headers: str) -> dict[str, Any]:
    """Arguments of httpx for a request with this body, its Content-Type and further headers."""
    return {"content": body, "headers": ({} if content_type is None else {"Content-Type": content_type}) | headers}
