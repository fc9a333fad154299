"""The comparison of responses with the OpenAPI document, on a small document with known answers."""

import asyncio
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import Message

from tests.app.contract import Document, take_faults, watched

ITEM = {"type": "object", "required": ["size"], "properties": {"size": {"type": "number"}}}
EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"type": "string", "const": "item"},
        "data": {"type": "string", "contentSchema": {"$ref": "#/components/schemas/Item"}},
    },
}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
DOCUMENT = Document(
    {
        "paths": {
            "/items/{name}": {
                "get": {
                    "responses": {
                        "200": {
                            "headers": {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}},
                            "content": {
                                "application/json": {"schema": {"$ref": "#/components/schemas/Item"}},
                                "text/event-stream": {"itemSchema": {"anyOf": [EVENT]}},
                            },
                        },
                        "304": {},
                        "503": {
                            "headers": {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}},
                            "content": PROBLEM,
                        },
                    }
                }
            }
        },
        "components": {
            "headers": {"X-Request-ID": {"required": True, "schema": {"type": "string"}}},
            "schemas": {
                "Item": ITEM,
                "Problem": {"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}}},
            },
        },
    }
)
JSON, EVENTS, PROBLEMS = "application/json", "text/event-stream", "application/problem+json"


def found(status: int, media_type: str, body: bytes | None, *, method: str = "GET", **headers: str) -> list[str]:
    """The faults of a response to a request for an item, whose name has a slash."""
    named = {"Content-Type": media_type, "X-Request-ID": "1", **headers} if media_type else headers
    return list(DOCUMENT.faults(method, "/items/a/b", status, Headers(named), body))


@pytest.mark.parametrize(
    ("status", "media_type", "body"),
    [
        (200, JSON, b'{"size": 1.5}'),
        (200, EVENTS, b'event: item\ndata: {"size": 1}\n\nevent: item\nda'),
        (200, JSON, None),
        (304, "", b""),
        (405, PROBLEMS, b'{"title": "Method Not Allowed"}'),
        (503, PROBLEMS, b'{"title": "Service Unavailable"}'),
    ],
)
def test_responses_as_documented_have_no_faults(status: int, media_type: str, body: bytes | None) -> None:
    """An event that was cut short is not looked at. A method that is not documented gets problem details."""
    assert found(status, media_type, body, method="PUT" if status == 405 else "GET") == []


@pytest.mark.parametrize(
    ("status", "media_type", "body", "fault"),
    [
        (201, JSON, b"{}", "the status is not documented"),
        (200, "image/png", b"", "the media type 'image/png' is not documented"),
        (200, JSON, b"{}", "size is missing"),
        (200, JSON, b'{"size": "1"}', "size: '1' is not of type number"),
        (200, JSON, b'{"size": NaN}', "size: 'NaN' is not of type number"),
        (200, JSON, b'{"size": 1, "colour": 2}', "colour is not allowed"),
        (200, EVENTS, b"event: item\ndata: {}\n\n", "size is missing"),
        (503, "text/plain", b"", "an error has the media type 'text/plain'"),
        (503, PROBLEMS, b"{}", "title is missing"),
    ],
)
def test_what_is_not_documented_is_a_fault(status: int, media_type: str, body: bytes, fault: str) -> None:
    assert fault in found(status, media_type, body)


def test_an_event_of_an_unknown_kind_is_a_fault() -> None:
    assert len(found(200, EVENTS, b"event: other\ndata: {}\n\n")) == 1


def test_headers_are_compared() -> None:
    """A required header may not be missing, and the text of an integer must be one in its range."""
    assert list(DOCUMENT.faults("GET", "/items/a", 200, Headers({"Content-Type": JSON}), None)) == [
        "the header X-Request-ID is missing"
    ]
    body = b'{"title": "x"}'
    assert found(503, PROBLEMS, body, **{"Retry-After": "0"}) == ["Retry-After: 0 is beyond the limit 1"]
    assert found(503, PROBLEMS, body, **{"Retry-After": "soon"}) == ["Retry-After: 'soon' is not of type integer"]


def test_a_method_that_succeeds_is_documented() -> None:
    assert found(200, JSON, b"{}", method="DELETE") == ["DELETE is not documented"]


def respond(response: Response, path: str) -> None:
    """Send a request for the path to a watched application that gives this response to all."""

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_: Message) -> None:
        return None

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "headers": []}
    asyncio.run(watched(response)(scope, receive, send))  # type: ignore[arg-type]


def test_faults_of_a_watched_application_are_taken_once() -> None:
    """The document is that of the service: its probe says more than that it is alive only in a field of its own."""
    headers = {"X-Request-ID": "1"}
    respond(JSONResponse({"status": "live"}, headers=headers), "/health/live")
    assert take_faults() == []
    respond(JSONResponse({"status": "live", "since": 1}, headers=headers), "/health/live")
    assert take_faults() == ["GET /health/live 200: since is not allowed"]
    assert take_faults() == []
