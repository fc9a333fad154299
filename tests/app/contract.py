"""Checks every response of the service under test against its OpenAPI document, which makes each HTTP test one of it.

`watched` wraps the application. What it finds is a fault of the test that ran at the time (tests/app/conftest.py).
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.main import create_app
from app.settings import Settings
from app.web.problems import CLIENT_LEFT, MEDIA_TYPE
from tests.app.json_schema import REFERENCE, faults

Json = dict[str, Any]
EVENT_STREAM = "text/event-stream"
_found: list[str] = []


class Document:
    """An OpenAPI document, and what it says about responses. Objects may have no fields but those it lists."""

    def __init__(self, document: Json) -> None:
        self.paths = [(re.compile(_pattern(path)), operations) for path, operations in document["paths"].items()]
        self.headers: Json = document["components"]["headers"]
        self.schemas = {name: _closed(schema) for name, schema in document["components"]["schemas"].items()}

    def faults(self, method: str, path: str, status: int, headers: Headers, body: bytes | None) -> Iterator[str]:
        """What is wrong with a response; its body is not looked at if it is None."""
        media_type = headers.get("Content-Type", "").partition(";")[0]
        if status >= 400 and media_type != MEDIA_TYPE and not path.endswith("/health/ready"):
            yield f"an error has the media type {media_type!r}"
        operations = next((operations for pattern, operations in self.paths if pattern.fullmatch(path)), None)
        operation = (operations or {}).get("get" if method == "HEAD" else method.lower())
        if operation is None:
            if status < 400 and operations is not None and method != "OPTIONS":
                yield f"{method} is not documented"
            response: Json = {"content": {MEDIA_TYPE: {"schema": {"$ref": f"{REFERENCE}Problem"}}}}
        elif str(status) not in operation["responses"]:
            yield "the status is not documented"
            return
        else:
            response = operation["responses"][str(status)]
        yield from self._header_faults(response.get("headers", {}), headers)
        content = response.get("content", {})
        if operation is not None and media_type not in content and (media_type or content):
            yield f"the media type {media_type!r} is not documented"
        elif body is not None and media_type in content:
            yield from self._body_faults(media_type, content[media_type], body)

    def _header_faults(self, documented: Json, headers: Headers) -> Iterator[str]:
        for name, entry in documented.items():
            entry = self.headers[name] if "$ref" in entry else entry
            value = headers.get(name)
            if value is None:
                if entry.get("required"):
                    yield f"the header {name} is missing"
                continue
            typed = int(value) if entry["schema"]["type"] == "integer" and value.isdecimal() else value
            yield from (f"{name}: {fault}" for fault in faults(typed, entry["schema"], self.schemas))

    def _body_faults(self, media_type: str, content: Json, body: bytes) -> Iterator[str]:
        if media_type == EVENT_STREAM:
            for event in _events(body):
                yield from faults(event, content["itemSchema"], self.schemas)
                choices = content["itemSchema"]["anyOf"]
                kinds = {choice["properties"]["event"]["const"]: choice["properties"]["data"] for choice in choices}
                if event["event"] in kinds:
                    schema = kinds[event["event"]]["contentSchema"]
                    yield from faults(_parsed(event["data"]), schema, self.schemas)
        elif media_type.endswith("json"):
            yield from faults(_parsed(body), content["schema"], self.schemas)


def _parsed(text: str | bytes) -> object:
    """The JSON value; infinity and NaN, which JSON does not have, become texts, which no schema of a number accepts."""
    return json.loads(text, parse_constant=str)


def _pattern(path: str) -> str:
    """A regular expression of the paths that a path with parameters stands for; a parameter may have slashes."""
    return re.sub(r"\\{[^}]*\\}", ".+", re.escape(path))


def _closed(schema: Any) -> Any:
    """The schema with `additionalProperties: false` in every object that lists its properties."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if isinstance(closed.get("properties"), dict) and "additionalProperties" not in closed:
        closed["additionalProperties"] = False
    return closed


def _events(stream: bytes) -> Iterator[dict[str, str]]:
    """The events of a stream, as fields by their names; one that was cut short is left out."""
    for block in stream.decode().split("\n\n")[:-1]:
        lines = [line.partition(": ") for line in block.split("\n") if not line.startswith(":")]
        if lines:
            yield {name: value for name, _, value in lines}


@cache
def _document() -> Document:
    return Document(create_app(Settings(_env_file=None, device="cpu")).openapi())


def watched(app: ASGIApp) -> ASGIApp:
    """The application; the faults of its responses are collected for `take_faults`."""
    document = _document()

    async def watch(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        start: Message = {"status": CLIENT_LEFT, "headers": []}
        body = bytearray()
        ended = False

        async def send_and_note(message: Message) -> None:
            nonlocal start, ended
            if message["type"] == "http.response.start":
                start = message
            else:
                body.extend(message.get("body", b""))
                ended = not message.get("more_body", False)
            await send(message)

        method, path = scope["method"], scope["path"]
        try:
            await app(scope, receive, send_and_note)
        finally:
            status, headers = start["status"], Headers(raw=list(start["headers"]))
            readable = method != "HEAD" and (ended or headers.get("Content-Type", "").startswith(EVENT_STREAM))
            if status != CLIENT_LEFT:
                found = document.faults(method, path, status, headers, bytes(body) if readable else None)
                _found.extend(f"{method} {path} {status}: {fault}" for fault in found)

    return watch


def take_faults() -> list[str]:
    """The faults of all responses since the last call."""
    taken = list(_found)
    del _found[: len(taken)]
    return taken
