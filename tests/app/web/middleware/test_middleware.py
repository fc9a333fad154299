"""Request ids, the bound on bodies, and requests that are cancelled."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.web.middleware.middleware import EndedEarly
from tests.app.conftest import Live
from tests.app.operations.test_classify import problem


def test_a_body_over_the_limit_announced_or_not(live: Live) -> None:
    size = live.service.settings.max_bytes + 1
    headers = {"Content-Type": "image/png"}
    assert "over 20,000,000 bytes" in problem(live, 413, content=bytes(size), headers=headers)["detail"]

    def in_pieces():  # type: ignore[no-untyped-def]
        for _ in range(size // 1_000_000 + 1):
            yield bytes(1_000_000)

    assert "over 20,000,000 bytes" in problem(live, 413, content=in_pieces(), headers=headers)["detail"]


def test_a_request_id_is_kept_or_made(live: Live) -> None:
    get = live.client.get
    assert get("/health/live", headers={"X-Request-ID": "my-id.1"}).headers["X-Request-ID"] == "my-id.1"
    hostile = get("/health/live", headers={"X-Request-ID": "<script>"}).headers["X-Request-ID"]
    assert len(hostile) == 32 and hostile.isalnum()


@pytest.mark.anyio
@pytest.mark.parametrize("begun", [False, True])
async def test_a_cancelled_request_is_answered(begun: bool) -> None:
    """A second Ctrl-C: 503 where nothing was sent yet, else no more; and nothing is left for the server to log."""

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise asyncio.CancelledError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope: dict[str, Any] = {"type": "http", "headers": [], "state": {}}
    await EndedEarly(slow)(scope, receive, send)
    assert sent[0]["status"] == (200 if begun else 503)
    assert len(sent) == (1 if begun else 2)
    if not begun:
        assert b"send the request again" in sent[1]["body"]


@pytest.mark.anyio
async def test_a_cancelled_lifespan_leaves_no_traceback() -> None:
    async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except asyncio.CancelledError:
            await send({"type": "lifespan.shutdown.failed", "message": "Traceback ..."})
            raise

    async def receive() -> Message:
        raise asyncio.CancelledError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(asyncio.CancelledError):
        await EndedEarly(lifespan)({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.shutdown.failed", "message": ""}]
