"""What is wrong with a request is said before its body comes: the key, the path, the method and the declared size."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.web.uploads import bodies
from tests.app.live_service import Live, serve
from tests.app.raw_requests import connection, head, is_closed, read_body, read_head, send_until_refused

BODIES = {
    "form": ("Content-Type: multipart/form-data; boundary=b", "Content-Length: 100000"),
    "picture": ("Content-Type: image/png", "Content-Length: 100000"),
    "json": ("Content-Type: application/json", "Content-Length: 100000"),
    "chunked": ("Content-Type: image/png", "Transfer-Encoding: chunked"),
    "compressed": ("Content-Type: image/png", "Content-Encoding: gzip", "Content-Length: 100000"),
    "continue": ("Content-Type: image/png", "Content-Length: 100000", "Expect: 100-continue"),
}
"""Headers of a body, by what it is like."""
POSTS = {
    "/classify", "/classify/batch", "/adversarial", "/adversarial/curve", "/adversarial/targets", "/explain",
    "/features",
}  # fmt: skip
CHUNK = b"4000\r\n" + bytes(0x4000) + b"\r\n"


@pytest.fixture(scope="module")
def locked(checkpoints: Path) -> Iterator[Live]:
    """A service with a key and a small limit for bodies."""
    with serve(checkpoints=checkpoints, api_keys=("right",), max_bytes=200_000) as live:
        yield live


def test_the_list_of_operations_with_a_body_is_complete(locked: Live) -> None:
    paths = locked.client.get("/openapi.json").json()["paths"]
    assert {path for path, operations in paths.items() if "post" in operations} == POSTS


@pytest.mark.parametrize("path", sorted(POSTS))
@pytest.mark.parametrize("body", BODIES)
def test_a_request_without_a_valid_key_is_refused_before_its_body(locked: Live, path: str, body: str) -> None:
    """The response comes although not one byte of the body was sent. The client is told not to send it."""
    with connection(locked.url) as client:
        client.sendall(head("POST", path, *BODIES[body]))
        status, headers = read_head(client)
        assert (status, headers["connection"]) == (401, "close")
        assert json.loads(read_body(client, headers))["title"] == "Unauthorized"


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("line", "status"),
    [(("POST", "/nothing"), 404), (("POST", "/models"), 405), (("PUT", "/classify"), 405)],
)
def test_a_wrong_path_or_method_is_refused_before_the_body(
    locked: Live, line: tuple[str, str], status: int, body: str
) -> None:
    with connection(locked.url) as client:
        client.sendall(head(*line, *BODIES[body]))
        answer, headers = read_head(client)
        assert (answer, headers["connection"]) == (status, "close")


def test_a_body_that_is_declared_too_large_is_refused_before_it(locked: Live) -> None:
    """Even with a valid key, and although the client would wait for 100 Continue."""
    for more in ((), ("Expect: 100-continue",)):
        with connection(locked.url) as client:
            client.sendall(head("POST", "/classify", "X-API-Key: right", "Content-Length: 200001", *more))
            status, headers = read_head(client)
            assert (status, headers["connection"]) == (413, "close")


def test_a_wrong_key_is_delayed_before_anything_of_the_body_is_asked_for(locked: Live) -> None:
    with connection(locked.url) as client:
        client.sendall(head("POST", "/classify", "X-API-Key: wrong", *BODIES["continue"]))
        assert read_head(client)[0] == 401


def test_with_a_valid_key_the_client_is_asked_for_its_body(locked: Live, picture: bytes) -> None:
    """The same request with a key gets 100 Continue, and then its answer on a connection that stays open."""
    with connection(locked.url) as client:
        lines = ("X-API-Key: right", "Content-Type: image/png", f"Content-Length: {len(picture)}")
        client.sendall(head("POST", "/classify", *lines, "Expect: 100-continue"))
        assert read_head(client)[0] == 100
        client.sendall(picture)
        status, headers = read_head(client)
        assert status == 200 and "connection" not in headers
        read_body(client, headers)
        client.sendall(head("GET", "/health/live"))
        assert read_head(client)[0] == 200


def test_nothing_of_a_refused_body_reaches_the_application(locked: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a form nor a picture is read, although it begins to come. With a valid key, both would be."""
    read: list[str] = []

    async def note(*_: object) -> bytes:
        read.append("body")
        return b""

    monkeypatch.setattr(bodies, "read_parts", note)
    monkeypatch.setattr("starlette.requests.Request.body", note)
    for key, expected in (("wrong", []), ("right", ["body", "body"])):
        for name in ("form", "picture"):
            with connection(locked.url) as client:
                client.sendall(head("POST", "/classify", f"X-API-Key: {key}", *BODIES[name]) + bytes(1000))
                assert read_head(client)[0] in ((401,) if key == "wrong" else (415, 422))  # nothing was in it
        assert read == expected


def test_an_endless_body_is_not_received_for_ever(locked: Live) -> None:
    """The service drops 200,000 bytes and closes; what the operating systems of both sides hold is a few megabytes."""
    with connection(locked.url) as client:
        client.sendall(head("POST", "/classify", *BODIES["chunked"]))
        assert read_head(client)[0] == 401
        assert send_until_refused(client, CHUNK) < 50_000_000


def test_a_body_that_does_not_come_is_not_waited_for(locked: Live) -> None:
    with connection(locked.url) as client:
        client.sendall(head("POST", "/classify", *BODIES["form"]))
        _, headers = read_head(client)
        read_body(client, headers)
        assert is_closed(client)
