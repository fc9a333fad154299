"""Tests the streams of a computation that several clients share; every client has a subscription to it."""

import asyncio
import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from anyio import CapacityLimiter
from starlette.responses import Response

from app.engine.deadline import Deadline
from app.engine.progress import Listener
from app.engine.shared_computations import SharedComputations, Subscription
from app.web.events import Inbox, event_stream
from app.web.outcomes import Outcome
from app.web.schemas import PictureResult, PictureUrl
from models.query import Progress
from tests.app.events import events


class Body(PictureResult):
    """The response of an endpoint of this test."""

    steps: int
    image: PictureUrl


async def compose(steps: int) -> Callable[[], Outcome]:
    body = Body(steps=steps, image=lambda: torch.zeros(3, 2, 2, dtype=torch.uint8))
    return lambda: Outcome(body, body.image, {})


def stream_for(subscription: Subscription[int], inbox: Inbox, leave: Callable[[], object]) -> Response:
    """Create the stream as an endpoint does."""
    subscription.task.add_done_callback(inbox.wake)
    request = SimpleNamespace(state=SimpleNamespace(request_id="r1"))
    service = SimpleNamespace(presenters=CapacityLimiter(1))
    return event_stream(
        request,  # type: ignore[arg-type]
        service,  # type: ignore[arg-type]
        subscription.task,
        inbox,
        compose,
        classes=("cat", "dog"),
        leave=leave,
    )


@dataclass
class Client:
    """A client that sets `received` when it has received something, and disconnects when `leaves` is set."""

    received: asyncio.Event = field(default_factory=asyncio.Event)
    leaves: asyncio.Event = field(default_factory=asyncio.Event)


async def receive_stream(response: Response, client: Client) -> str:
    """Return what the server sends until the stream ends or the client disconnects."""
    body = bytearray()

    async def receive() -> dict[str, Any]:
        await client.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        body.extend(message.get("body", b""))
        if body:
            client.received.set()

    await response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)  # type: ignore[arg-type]
    return body.decode()


async def count_to_three(report: Listener, deadline: Deadline) -> int:
    for step in (1, 2, 3):
        seconds_left = None if step == 3 else 3.14 - step
        await asyncio.to_thread(report, Progress(step, 3, compute_eta=partial(lambda seconds: seconds, seconds_left)))
    return 3


def test_a_stream_has_every_step_and_the_result() -> None:
    """At the end the stream leaves the subscription."""

    async def listen() -> tuple[str, int]:
        leave_count: list[int] = []
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        subscription = SharedComputations[int]().join("key", count_to_three, inbox.put)
        text = await receive_stream(stream_for(subscription, inbox, lambda: leave_count.append(1)), Client())
        return text, len(leave_count)

    text, leave_count = asyncio.run(listen())
    received = list(events(text.splitlines()))
    assert [name for name, _ in received] == ["progress"] * 3 + ["result"]
    assert [data["step"] for _, data in received[:3]] == [1, 2, 3] and received[3][1]["steps"] == 3
    assert [data["eta_s"] for _, data in received[:3]] == [2.1, 1.1, None]
    assert leave_count >= 1


def test_classes_are_named_in_the_order_of_the_progress() -> None:
    """An event without them has no such field. Nothing is computed before the event is written."""
    computed: list[int] = []

    def probabilities() -> list[tuple[int, float]]:
        computed.append(1)
        return [(1, 0.75), (0, 0.25)]

    async def report_twice(report: Listener, deadline: Deadline) -> int:
        report(Progress(1, 2, compute_probabilities=probabilities))
        assert not computed
        report(Progress(2, 2))
        return 2

    async def listen() -> str:
        inbox = Inbox(asyncio.get_running_loop(), previews=True)
        subscription = SharedComputations[int]().join("key", report_twice, inbox.put)
        return await receive_stream(stream_for(subscription, inbox, subscription.leave), Client())

    (_, first), (_, second), _ = events(asyncio.run(listen()).splitlines())
    assert first["probabilities"] == [
        {"label": "dog", "index": 1, "probability": 0.75},
        {"label": "cat", "index": 0, "probability": 0.25},
    ]
    assert not {"probabilities", "preview", "change"} & set(second)


def test_a_stream_of_a_finished_computation_is_its_result() -> None:
    async def listen() -> str:
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        subscription = SharedComputations[int]().join("key", count_to_three)
        await subscription.task
        return await receive_stream(stream_for(subscription, inbox, subscription.leave), Client())

    assert [name for name, _ in events(asyncio.run(listen()).splitlines())] == ["result"]


def test_a_client_that_disconnects_leaves_only_its_own_subscription() -> None:
    """The computation goes on for the other client, and is cancelled when the last one has disconnected."""

    async def listen() -> None:
        shared: SharedComputations[int] = SharedComputations()

        async def endless(report: Listener, deadline: Deadline) -> int:
            report(Progress(1, 2))
            await asyncio.Event().wait()
            return 0

        clients, streams = [Client(), Client()], []
        for client in clients:
            inbox = Inbox(asyncio.get_running_loop(), previews=False)
            subscription = shared.join("key", endless, inbox.put)
            streams.append(
                asyncio.ensure_future(receive_stream(stream_for(subscription, inbox, subscription.leave), client))
            )
        for client, stream in zip(clients, streams, strict=True):
            await client.received.wait()
            assert not subscription.task.done()
            client.leaves.set()
            assert [name for name, _ in events((await stream).splitlines())] == ["progress"]
        await asyncio.wait([subscription.task])
        assert subscription.task.cancelled()

    asyncio.run(listen())


def test_an_error_of_a_shared_computation_is_sent_as_a_problem() -> None:
    async def listen() -> tuple[str, int]:
        leave_count: list[int] = []

        async def fail(_: Listener, deadline: Deadline) -> int:
            raise TimeoutError("too slow")

        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        subscription = SharedComputations[int]().join("key", fail, inbox.put)
        text = await receive_stream(stream_for(subscription, inbox, lambda: leave_count.append(1)), Client())
        return text, len(leave_count)

    text, leave_count = asyncio.run(listen())
    ((name, data),) = events(text.splitlines())
    assert (name, data["status"], data["request_id"]) == ("problem", 500, "r1")
    assert leave_count >= 1


def test_a_stream_that_never_began_leaves_its_subscription() -> None:
    """The response is deleted before its first byte is sent, on any thread; the event loop cancels the computation."""

    async def drop() -> None:
        threads: list[threading.Thread] = []
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        subscription = SharedComputations[int]().join("key", count_to_three, inbox.put)

        def leave() -> None:
            threads.append(threading.current_thread())
            subscription.leave()

        responses = [stream_for(subscription, inbox, leave)]
        await asyncio.to_thread(responses.clear)
        await asyncio.to_thread(gc.collect)
        await asyncio.wait([subscription.task])
        assert subscription.task.cancelled() and threads == [threading.current_thread()]

    asyncio.run(drop())


def test_a_stream_may_be_deleted_after_its_event_loop() -> None:
    """The service has ended, and nothing is left that could be cancelled."""
    left: list[bool] = []

    async def make() -> Response:
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        subscription = SharedComputations[int]().join("key", count_to_three, inbox.put)
        return stream_for(subscription, inbox, lambda: left.append(True))

    response = asyncio.run(make())
    del response
    gc.collect()
    assert left == []
