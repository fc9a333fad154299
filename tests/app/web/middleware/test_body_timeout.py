"""Tests the refusal of bodies that arrive too slowly."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from app.engine.admission import ShuttingDown
from app.web.middleware.body_timeout import BodyTimeout, BodyTooSlow
from app.web.stopping import Stopping
from tests.app.live_service import serve

Pieces = AsyncIterator[bytes]


async def receive_all(
    pieces: Pieces,
    *,
    idle_s: float = 1000.0,
    deadline_s: float = 1000.0,
    stopping: Stopping | None = None,
    begin: bool = False,
) -> list[Message]:
    """What an application receives whose client sends these pieces; with `begin` it first begins its response."""
    received: list[Message] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if begin:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        while not received or received[-1].get("more_body"):
            received.append(await receive())

    async def receive() -> Message:
        return {"type": "http.request", "body": await anext(pieces), "more_body": True}

    async def send(message: Message) -> None:
        pass

    scope: dict[str, Any] = {"type": "http", "state": {"arrived": time.monotonic()}}
    timeout = BodyTimeout(application, stopping or Stopping(), idle_s=idle_s, deadline_s=deadline_s)
    await timeout(scope, receive, send)
    return received


async def dribble(piece: bytes, every_s: float) -> Pieces:
    """The same piece again and again; never the end of a body."""
    while True:
        yield piece
        await asyncio.sleep(every_s)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("piece", "every_s", "limits"),
    [
        (bytes(10_000_000), 1000, {"idle_s": 0.1}),
        (b"a", 0.01, {"idle_s": 0.1}),
        (bytes(10_000), 0.01, {"deadline_s": 0.1}),
    ],
    ids=["a pause", "a byte now and then", "fast but without end"],
)
async def test_a_body_that_is_too_slow_is_refused(piece: bytes, every_s: float, limits: dict[str, float]) -> None:
    """10,000,000 bytes at once do not allow a pause, nor do bytes that arrive all the time allow a rate below 500."""
    with pytest.raises(BodyTooSlow, match="send the request again"):
        await receive_all(dribble(piece, every_s), **limits)


@pytest.mark.anyio
async def test_time_that_the_application_takes_does_not_count() -> None:
    """It may wait for room for the next piece; its client could not have sent it earlier."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(10):
            await asyncio.sleep(0.05)
            await receive()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"a", "more_body": True}

    scope: dict[str, Any] = {"type": "http", "state": {"arrived": time.monotonic()}}
    timeout = BodyTimeout(application, Stopping(), idle_s=0.2, deadline_s=1000)
    await timeout(scope, receive, lambda message: asyncio.sleep(0))


@pytest.mark.anyio
async def test_a_response_that_has_begun_is_not_refused_any_more() -> None:
    """To the application, the client has left."""
    received = await receive_all(dribble(b"a", 1000), idle_s=0.1, begin=True)
    assert [message["type"] for message in received] == ["http.request", "http.disconnect"]


@pytest.mark.anyio
async def test_a_body_that_is_not_complete_is_refused_when_the_service_stops() -> None:
    stopping = Stopping()
    receiving = asyncio.create_task(receive_all(dribble(b"a", 1000), stopping=stopping))
    await asyncio.sleep(0.01)
    stopping.refuse_bodies()
    with pytest.raises(ShuttingDown, match="another instance"):
        await receiving


def test_a_stalled_upload_gets_408_and_others_are_served(checkpoints: Path) -> None:
    """Over a socket: in a form and as a raw body, and where the operation reads no body at all."""
    with serve(checkpoints=checkpoints, body_idle_s=0.3) as live:
        url = httpx.URL(live.url)
        for path, kind in [("/classify", "image/png"), ("/classify", "multipart/form-data; boundary=b")]:
            with socket.create_connection((url.host, url.port), timeout=60) as client:
                head = f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: {kind}\r\nContent-Length: 99\r\n\r\n--b"
                client.sendall(head.encode())
                response = b"".join(iter(lambda: client.recv(65536), b""))
            assert response.startswith(b"HTTP/1.1 408 ") and b"connection: close" in response
            assert b"application/problem+json" in response and b"nothing for 0.3 s" in response
        assert live.client.get("/models").status_code == 200
        long = b"GET /ideal/cat?steps=1000&crops=32&patience=0 HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n"
        with socket.create_connection((url.host, url.port), timeout=60) as client:
            client.sendall(long)
            assert client.recv(65536).startswith(b"HTTP/1.1 408 ")
