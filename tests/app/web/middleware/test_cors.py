"""Tests CORS: preflight requests, exposed headers, and that every response has the headers."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.web.middleware.cors import EXPOSED
from models.pictures import encode
from tests.app.live_service import Live, drawn, serve

ORIGIN = "http://localhost:3000"
PAGE = {"Origin": ORIGIN}


@pytest.fixture(scope="module")
def cors_service(checkpoints: Path) -> Iterator[Live]:
    """Return a service that one origin may call, with an API key."""
    with serve(checkpoints=checkpoints, cors_origins=(ORIGIN,), api_keys=("k",), max_bytes=50_000) as running:
        yield running


def preflight(live: Live, path: str, method: str, origin: str = ORIGIN) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "x-api-key,content-type",
    }
    return live.client.options(path, headers=headers)


def test_the_preflight_of_every_operation_succeeds(cors_service: Live) -> None:
    """Browsers send it without a key; the header of the key is allowed."""
    paths = cors_service.client.get("/openapi.json").json()["paths"]
    assert len(paths) > 10
    for path, operations in paths.items():
        for method in operations:
            answer = preflight(cors_service, path.replace("{", "").replace("}", ""), method.upper())
            assert answer.status_code == 200, path
            assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
            assert method.upper() in answer.headers["Access-Control-Allow-Methods"]
            assert "x-api-key" in answer.headers["Access-Control-Allow-Headers"].lower()
            assert "content-type" in answer.headers["Access-Control-Allow-Headers"].lower()


@pytest.mark.parametrize(("origin", "method"), [("http://evil.com", "POST"), ("null", "GET"), (ORIGIN, "DELETE")])
def test_a_refused_preflight_is_a_problem(cors_service: Live, origin: str, method: str) -> None:
    answer = preflight(cors_service, "/classify", method, origin)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert ("MIRAGE_CORS_ORIGINS" if origin != ORIGIN else "choose one of GET") in answer.json()["detail"]
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert answer.headers.get("Access-Control-Allow-Origin") == (ORIGIN if origin == ORIGIN else None)


def test_every_response_has_the_cors_headers(cors_service: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checked for successes, streams and failures of every kind, including an unexpected one."""
    key = {"X-API-Key": "k"}
    picture = {"image": encode(drawn(32, 32))}
    post, get = cors_service.client.post, cors_service.client.get
    answers = {
        200: post("/classify", files=picture, headers=PAGE | key),
        401: post("/classify", files=picture, headers=PAGE),
        404: get("/nothing", headers=PAGE),
        405: get("/classify", headers=PAGE),
        413: post("/classify", files={"image": bytes(60_000)}, headers=PAGE | key),
        415: post("/classify", files=picture, headers=PAGE | key | {"Content-Encoding": "br"}),
        422: get("/ideal/cat?steps=0", headers=PAGE | key),
    }
    monkeypatch.setattr("app.operations.classify.begin", lambda *args, **kwargs: 1 / 0)
    answers[500] = httpx.post(f"{cors_service.url}/classify", files=picture, headers=PAGE | key)
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN, status
        assert "X-Mirage-Label" in answer.headers["Access-Control-Expose-Headers"], status
        assert "Origin" in answer.headers["Vary"] and len(answer.headers["X-Request-ID"]) == 32
    stream = get("/ideal/cat?steps=1&size=32&format=events", headers=PAGE | key)
    assert stream.headers["Access-Control-Allow-Origin"] == ORIGIN and "event: result" in stream.text


def test_every_header_that_is_sent_is_exposed(cors_service: Live) -> None:
    key = {"X-API-Key": "k"}
    picture = {"image": encode(drawn(32, 32))}
    answers = [
        cors_service.client.get("/ideal/cat?steps=1&size=32", headers=key),
        cors_service.client.get("/ideal?layer=features.3&channel=1&steps=1&size=32", headers=key),
        cors_service.client.post("/explain", files=picture, headers=key),
        cors_service.client.post("/features", files=picture, data={"layer": "features.3"}, headers=key),
        cors_service.client.post("/adversarial", files=picture, data={"attack": "fgsm"}, headers=key),
    ]
    sent = {name.lower() for answer in answers for name in answer.headers if re.match("x-mirage-", name, re.IGNORECASE)}
    assert len(sent) >= 9 and sent <= {name.lower() for name in EXPOSED}
    assert {"ETag", "Retry-After", "X-Request-ID"} <= set(EXPOSED)


def test_other_origins_get_no_permission_and_vary_is_set(cors_service: Live) -> None:
    for headers in ({"Origin": "http://localhost:3001"}, {"Origin": "https://localhost:3000"}, {}):
        answer = cors_service.client.get("/health/live", headers=headers)
        assert answer.status_code == 200 and "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_cors_is_off_by_default_and_a_star_allows_all_origins(live: Live, checkpoints: Path) -> None:
    answer = live.client.get("/health/live", headers=PAGE)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    with serve(checkpoints=checkpoints, cors_origins=("*",)) as open_service:
        for origin in (ORIGIN, "null", "https://example.com"):
            answer = open_service.client.get("/nothing", headers={"Origin": origin})
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert preflight(open_service, "/classify", "POST", origin).headers["Access-Control-Allow-Origin"] == "*"
