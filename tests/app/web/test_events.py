"""Tests the event stream: progress, previews, the result, and clients that disconnect."""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from anyio import CapacityLimiter
from starlette.responses import Response

from app.engine.progress import Listener
from app.engine.shared_computations import SharedComputations, Subscription
from app.web.events import MAX_PENDING_EVENTS, PREVIEW_SIDE, Inbox, Update, event_stream
from app.web.outcomes import Outcome
from app.web.schemas import PictureResult, PictureUrl
from models.query import Progress
from tests.app.events import events


def test_a_slow_client_gets_the_latest_events() -> None:
    """Of 100 steps that the client has not read, the last MAX_PENDING_EVENTS remain."""

    async def steps() -> list[int]:
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        for step in range(100):
            inbox.put(Progress(step, 100))
        await inbox.wait()
        return [update.progress.step for update in inbox.take()]

    assert asyncio.run(steps()) == list(range(100 - MAX_PENDING_EVENTS, 100))


def update_of(progress: Progress, *, previews: bool) -> Update:
    """What an inbox makes of the progress."""

    async def put() -> Update:
        inbox = Inbox(asyncio.get_running_loop(), previews=previews)
        inbox.put(progress)
        return inbox.take()[0]

    return asyncio.run(put())


def test_pictures_are_reduced_and_only_made_on_request() -> None:
    """Only the small copies remain: the progress itself has no pictures any more."""
    picture = torch.rand(3, 400, 800)
    progress = Progress(1, 2, picture=picture, start=lambda: torch.zeros(3, 400, 800))
    update = update_of(progress, previews=True)
    assert update.preview is not None and update.change is not None
    assert tuple(update.preview.shape) == tuple(update.change.shape) == (3, PREVIEW_SIDE // 2, PREVIEW_SIDE)
    without = update_of(progress, previews=False)
    assert without.preview is None and without.change is None
    for stored in (update.progress, without.progress):
        assert stored.render() is None and stored.render_start() is None


def test_a_change_of_a_hundredth_of_a_level_is_amplified_to_the_full_range() -> None:
    """One half rises by it, one quarter falls by half of it, and the last quarter is unchanged: 255, 64 and 128."""
    start = torch.full((3, 320, 640), 0.5)
    picture = start.clone()
    picture[..., :320] += 0.01 / 255
    picture[..., 320:480] -= 0.005 / 255
    change = update_of(Progress(1, 2, picture=picture, start=lambda: start), previews=True).change
    assert change is not None and tuple(change.shape) == (3, PREVIEW_SIDE // 2, PREVIEW_SIDE)
    for columns, level in ((slice(2, 238), 255), (slice(242, 358), 64), (slice(362, 480), 128)):
        assert (change[..., columns].int() - level).abs().max() <= (level != 128)  # float32 rounds the two changes


def test_no_change_is_grey_and_a_task_without_a_start_has_none() -> None:
    picture = torch.rand(3, 200, 300)
    change = update_of(Progress(1, 2, picture=picture, start=picture.clone), previews=True).change
    assert change is not None and change.unique().tolist() == [128]
    update = update_of(Progress(1, 2, picture=picture), previews=True)
    assert update.preview is not None and update.change is None


def test_a_preview_is_drawn_once_and_only_on_request() -> None:
    drawn: list[int] = []

    def preview() -> torch.Tensor:
        drawn.append(1)
        return torch.zeros(3, 8, 8)

    async def put(previews: bool) -> None:
        Inbox(asyncio.get_running_loop(), previews=previews).put(Progress(1, 2, picture=preview))

    for previews, times in ((False, 0), (True, 1)):
        asyncio.run(put(previews))
        assert len(drawn) == times


def test_previews_come_at_most_ten_times_a_second_and_with_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps at 0, 0.05, 0.1, 0.19 and 0.195 s: the third is a tenth of a second after the first, the fifth the last."""
    times = [0.0, 0.05, 0.1, 0.19, 0.195]
    clock = [100.0]
    monkeypatch.setattr("app.web.events.time.monotonic", lambda: clock[0])

    async def put_all() -> list[Update]:
        inbox = Inbox(asyncio.get_running_loop(), previews=True)
        for step, seconds in enumerate(times, start=1):
            clock[0] = 100 + seconds
            inbox.put(Progress(step, len(times), picture=torch.zeros(3, 8, 8)))
        return inbox.take()

    # asyncio.run would read the changed clock, which stands still between steps: no coroutine here waits.
    updates = asyncio.run(put_all())
    assert [update.preview is not None for update in updates] == [True, False, True, False, True]


# Streams of a computation that several clients share; every client has a subscription to it.


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


async def count_to_three(report: Listener) -> int:
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

    async def report_twice(report: Listener) -> int:
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

        async def endless(report: Listener) -> int:
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

        async def fail(_: Listener) -> int:
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
    """The response is deleted before its first byte is sent, and the computation is cancelled."""

    async def drop() -> None:
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        subscription = SharedComputations[int]().join("key", count_to_three, inbox.put)
        response = stream_for(subscription, inbox, subscription.leave)
        del response
        gc.collect()
        await asyncio.wait([subscription.task])
        assert subscription.task.cancelled()

    asyncio.run(drop())
