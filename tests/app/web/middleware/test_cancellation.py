"""Requests that are cancelled because the process must end."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.web.middleware.cancellation import CancelledRequests


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
    await CancelledRequests(slow)(scope, receive, send)
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
        await CancelledRequests(lifespan)({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.shutdown.failed", "message": ""}]
