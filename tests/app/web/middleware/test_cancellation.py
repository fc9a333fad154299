"""Tests requests that are cancelled because the process ends."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.web.middleware.cancellation import CancelledRequests


@pytest.mark.anyio
@pytest.mark.parametrize("response_started", [False, True])
async def test_a_cancelled_request_gets_503_unless_its_response_has_started(response_started: bool) -> None:
    """This happens at a second Ctrl-C. The cancellation is not raised, so the server logs no traceback."""

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if response_started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise asyncio.CancelledError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope: dict[str, Any] = {"type": "http", "headers": [], "state": {}}
    await CancelledRequests(slow)(scope, receive, send)
    assert sent[0]["status"] == (200 if response_started else 503)
    assert len(sent) == (1 if response_started else 2)
    if not response_started:
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
        await CancelledRequests(lifespan)({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.shutdown.failed", "message": ""}]
