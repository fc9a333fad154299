"""Tests HEAD, which works wherever GET does."""

import httpx
import pytest

from tests.app.live_service import Live

IDEAL = "/ideal/cat?steps=1&size=32&seed=71"


@pytest.mark.parametrize(
    "path",
    ["/health/live", "/health/ready", "/models", "/models/tiny", "/models/none", "/docs", "/", "/openapi.json",
     "/nothing", "/docs/files/swagger-ui.css", "/ideal/nope", "/ideal/cat?steps=0", "/ideal/cat?stepz=1",
     "/ideal?layer=x&channel=1", "/ideal/cat?model=none", "/classify", IDEAL],
)  # fmt: skip
def test_head_has_the_status_and_headers_of_get(live: Live, path: str) -> None:
    """GET comes first, so that an ideal picture is stored and all of its headers are known."""
    get = live.client.get(path)
    head = live.client.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    varying = {"date", "x-request-id", "server-timing"}
    assert {name: head.headers[name] for name in head.headers if name not in varying} == {
        name: get.headers[name] for name in get.headers if name not in varying
    }


def test_head_of_metrics_has_a_content_length(live: Live) -> None:
    head = live.client.head("/metrics")
    assert (head.status_code, head.content) == (200, b"") and int(head.headers["Content-Length"]) > 500


@pytest.mark.parametrize(("seed", "format"), [*enumerate(["png", "jpeg", "json", "film", "gif", "events"], 100)])
def test_head_draws_no_picture(live: Live, seed: int, format: str) -> None:
    """The tag is known without drawing and is that of the later picture; the engine stays idle."""
    path = f"/ideal/dog?steps=1&size=32&seed={seed}&format={format}"
    before = live.service.engine.counters.gradient_batches
    head = live.client.head(path)
    assert live.service.engine.counters.gradient_batches == before and live.service.engine.alive == 0
    assert head.status_code == 200 and head.content == b"" and "Content-Length" not in head.headers
    get = live.client.get(path)
    assert live.service.engine.counters.gradient_batches > before
    for name in ("ETag", "Content-Type", "Vary", "Cache-Control"):
        assert head.headers.get(name) == get.headers.get(name), name
    if format != "events":
        not_modified = live.client.head(path, headers={"If-None-Match": get.headers["ETag"]})
        assert not_modified.status_code == 304


def test_a_connection_can_be_reused_after_head(live: Live) -> None:
    """No byte of a body is sent that could be taken for the next response."""
    with httpx.Client(base_url=live.url) as client:
        for path in ("/docs", IDEAL, "/nothing", "/models"):
            client.head(path)
            assert client.get("/health/live").json() == {"status": "live"}


def test_allow_lists_head_beside_get(live: Live) -> None:
    assert live.client.put("/models").headers["Allow"] == "GET, HEAD"
    assert live.client.options("/classify").headers["Allow"] == "POST"
    response = live.client.head("/classify")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
