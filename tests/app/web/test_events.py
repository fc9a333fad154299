"""The event stream: progress, previews, the result, and clients that leave."""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from anyio import CapacityLimiter
from starlette.responses import Response

from app.engine.progress import Listener
from app.engine.shared_computations import SharedComputations, Subscription
from app.web.events import MAX_PENDING_EVENTS, PREVIEW_SIDE, Inbox, event_stream
from app.web.outcomes import Outcome
from app.web.schemas import PictureResult, PictureUrl
from models.query import Progress
from tests.app.events import events


def test_a_slow_client_gets_the_latest() -> None:
    """Of 100 steps that nobody took the last 32 are left."""

    async def steps() -> list[int]:
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        for step in range(100):
            inbox.put(Progress(step, 100))
        await inbox.wait()
        return [progress.step for progress, _ in inbox.take()]

    assert asyncio.run(steps()) == list(range(100 - MAX_PENDING_EVENTS, 100))


def test_a_preview_is_small_and_only_kept_where_it_is_wanted() -> None:
    picture = torch.rand(3, 400, 800)

    async def preview_of(previews: bool) -> tuple[Progress, torch.Tensor | None]:
        inbox = Inbox(asyncio.get_running_loop(), previews=previews)
        inbox.put(Progress(1, 2, picture=picture))
        return inbox.take()[0]

    progress, small = asyncio.run(preview_of(True))
    assert progress.render() is None and small is not None
    assert tuple(small.shape) == (3, PREVIEW_SIDE // 2, PREVIEW_SIDE)
    assert asyncio.run(preview_of(False))[1] is None


def test_a_preview_is_drawn_once_and_only_where_it_is_wanted() -> None:
    drawn: list[int] = []

    def preview() -> torch.Tensor:
        drawn.append(1)
        return torch.zeros(3, 8, 8)

    async def put(previews: bool) -> None:
        Inbox(asyncio.get_running_loop(), previews=previews).put(Progress(1, 2, picture=preview))

    for previews, times in ((False, 0), (True, 1)):
        asyncio.run(put(previews))
        assert len(drawn) == times


# Streams of a computation that several clients share; each client has a seat in it.


class Body(PictureResult):
    """The response of an endpoint that exists here only."""

    steps: int
    image: PictureUrl


async def compose(steps: int) -> Callable[[], Outcome]:
    body = Body(steps=steps, image=lambda: torch.zeros(3, 2, 2, dtype=torch.uint8))
    return lambda: Outcome(body, body.image, {})


def streamed(seat: Subscription[int], inbox: Inbox, leave: Callable[[], object]) -> Response:
    """As an endpoint makes the stream."""
    seat.task.add_done_callback(inbox.wake)
    request = SimpleNamespace(state=SimpleNamespace(request_id="r1"))
    service = SimpleNamespace(presenters=CapacityLimiter(1))
    return event_stream(request, service, seat.task, inbox, compose, leave=leave)  # type: ignore[arg-type]


@dataclass
class Client:
    """Says when it has received something, and leaves when the test sets `leaves`."""

    received: asyncio.Event = field(default_factory=asyncio.Event)
    leaves: asyncio.Event = field(default_factory=asyncio.Event)


async def sent(response: Response, client: Client) -> str:
    """What a server sends until the stream ends or the client is gone."""
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


async def count_to_three(tell: Listener) -> int:
    for step in (1, 2, 3):
        await asyncio.to_thread(tell, Progress(step, 3))
    return 3


def test_a_stream_of_a_shared_computation() -> None:
    """Every step, then the result; the seat is given back."""

    async def listen() -> tuple[str, int]:
        left: list[int] = []
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        seat = SharedComputations[int]().join("key", count_to_three, inbox.put)
        text = await sent(streamed(seat, inbox, lambda: left.append(1)), Client())
        return text, len(left)

    text, left = asyncio.run(listen())
    received = list(events(text.splitlines()))
    assert [name for name, _ in received] == ["progress"] * 3 + ["result"]
    assert [data["step"] for _, data in received[:3]] == [1, 2, 3] and received[3][1]["steps"] == 3
    assert left >= 1


def test_a_stream_of_what_is_done_already_is_its_result() -> None:
    async def listen() -> str:
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        seat = SharedComputations[int]().join("key", count_to_three)
        await seat.task
        return await sent(streamed(seat, inbox, seat.leave), Client())

    assert [name for name, _ in events(asyncio.run(listen()).splitlines())] == ["result"]


def test_a_client_that_leaves_gives_its_seat_back_and_no_more() -> None:
    """In the midst of the work: another who has a seat keeps the computation; when the last one has gone it ends."""

    async def listen() -> None:
        shared: SharedComputations[int] = SharedComputations()

        async def endless(tell: Listener) -> int:
            tell(Progress(1, 2))
            await asyncio.Event().wait()
            return 0

        clients, served = [Client(), Client()], []
        for client in clients:
            inbox = Inbox(asyncio.get_running_loop(), previews=False)
            seat = shared.join("key", endless, inbox.put)
            served.append(asyncio.ensure_future(sent(streamed(seat, inbox, seat.leave), client)))
        for client, serving in zip(clients, served, strict=True):
            await client.received.wait()
            assert not seat.task.done()
            client.leaves.set()
            assert [name for name, _ in events((await serving).splitlines())] == ["progress"]
        await asyncio.wait([seat.task])
        assert seat.task.cancelled()

    asyncio.run(listen())


def test_what_a_shared_computation_raises_is_told_as_a_problem() -> None:
    async def listen() -> tuple[str, int]:
        left: list[int] = []

        async def fail(_: Listener) -> int:
            raise TimeoutError("too slow")

        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        seat = SharedComputations[int]().join("key", fail, inbox.put)
        text = await sent(streamed(seat, inbox, lambda: left.append(1)), Client())
        return text, len(left)

    text, left = asyncio.run(listen())
    ((name, data),) = events(text.splitlines())
    assert (name, data["status"], data["request_id"]) == ("problem", 500, "r1")
    assert left >= 1


def test_a_stream_that_never_began_gives_its_seat_back() -> None:
    """As above, for a seat: the response is dropped before its first byte."""

    async def drop() -> None:
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        seat = SharedComputations[int]().join("key", count_to_three, inbox.put)
        response = streamed(seat, inbox, seat.leave)
        del response
        gc.collect()
        await asyncio.wait([seat.task])
        assert seat.task.cancelled()

    asyncio.run(drop())
