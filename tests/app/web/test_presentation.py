"""Tests running a task for a client: the follow-up before its outcome, threads, and clients that disconnect."""

import asyncio
import gc
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from anyio import CapacityLimiter

from app.web.formats import Format
from app.web.outcomes import Outcome
from app.web.presentation import present
from app.web.problems import ClientLeft
from app.web.schemas import PictureResult, PictureUrl
from tests.app.events import events


class Body(PictureResult):
    """The response of an endpoint of this test."""

    value: str
    image: PictureUrl


def to_outcome(value: str, seconds: float) -> Outcome:
    assert threading.current_thread() is not threading.main_thread(), (
        "it may take long, so it must not block the event loop"
    )
    assert seconds >= 0
    body = Body(value=value, image=lambda: torch.zeros(3, 2, 2, dtype=torch.uint8))
    return Outcome(body, body.image, {})


MODEL: Any = SimpleNamespace(spec=SimpleNamespace(classes=("cat", "dog")))
"""What `present` needs of a model."""


class Ticket:
    """A request to a service that has the result of every task at once, and one place for writing responses."""

    def __init__(self, receive: Callable[[], Any]) -> None:
        self.request = SimpleNamespace(receive=receive, state=SimpleNamespace(request_id="r1"))
        self.service = SimpleNamespace(presenters=CapacityLimiter(1))
        self.until = math.inf
        self.future: Future[str] = Future()

    def submit(self, *_: object, on_progress: object = None, **__: object) -> "Future[str]":
        self.future.set_result("result")
        return self.future


async def stay() -> dict[str, str]:
    await asyncio.Event().wait()
    return {"type": "http.disconnect"}


async def body_of(response: Any) -> str:
    """Return the body of a response, whether it is streamed or not."""
    if hasattr(response, "body_iterator"):
        return "".join([part.decode() if isinstance(part, bytes) else part async for part in response.body_iterator])
    return str(response.body.decode())


@pytest.mark.parametrize("format", [Format.json, Format.events])
def test_a_follow_up_occupies_no_place_for_writing_responses(format: Format) -> None:
    """While it runs, other responses can be written; the outcome is made from its result."""
    ticket = Ticket(stay)

    async def follow_up(result: str) -> str:
        assert ticket.service.presenters.borrowed_tokens == 0
        await asyncio.sleep(0)
        return f"{result} and opinions"

    async def run() -> str:
        response = await present(
            ticket,  # type: ignore[arg-type]
            None,
            MODEL,
            to_outcome,
            format=format,
            follow_up=follow_up,
        )
        return await body_of(response)

    text = asyncio.run(run())
    if format is Format.events:
        ((name, data),) = events(text.splitlines())
        assert (name, data["value"]) == ("result", "result and opinions")
    else:
        assert '"value":"result and opinions"' in text


def test_a_follow_up_is_cancelled_when_the_client_disconnects() -> None:
    follow_up_started, cancelled = asyncio.Event(), []

    async def follow_up(result: str) -> str:
        follow_up_started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(result)
            raise
        return result

    async def leave() -> dict[str, str]:
        await follow_up_started.wait()
        return {"type": "http.disconnect"}

    async def run() -> None:
        with pytest.raises(ClientLeft):
            await present(
                Ticket(leave),  # type: ignore[arg-type]
                None,
                None,
                to_outcome,
                format=Format.json,
                follow_up=follow_up,
            )
        await asyncio.sleep(0)

    asyncio.run(run())
    assert cancelled == ["result"]


def test_a_stream_that_never_began_cancels_its_task() -> None:
    """The client has disconnected before the first byte, so the response is deleted and its task cancelled."""
    future: Future[None] = Future()

    async def drop() -> None:
        ticket: Any = Ticket(stay)
        ticket.submit = lambda *_, **__: future
        response = await present(ticket, None, MODEL, None, format=Format.events)  # type: ignore[arg-type]
        assert not future.cancelled()
        del response
        gc.collect()
        await asyncio.sleep(0)  # the event loop cancels it, on whichever thread the response was deleted
        assert future.cancelled()

    asyncio.run(drop())
