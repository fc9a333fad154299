"""The event stream (SSE) of a task: its progress, and then its result or the problem that ended it."""

import asyncio
import contextlib
import logging
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from anyio.to_thread import run_sync
from fastapi import Request
from fastapi.sse import EventSourceResponse, format_sse_event
from jaxtyping import UInt8
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from torch import Tensor

from app.telemetry.record import timed_work
from app.web.outcomes import Outcome
from app.web.problems import returned_problem
from app.web.schemas import Prediction, ProgressEvent, data_url
from app.web.service import Service
from app.web.thumbnail import reduced
from models.colour_map import amplified
from models.preprocessing import to_levels
from models.query import Progress

logger = logging.getLogger(__name__)
PREVIEW_SIDE, PREVIEW_QUALITY = 480, 85
"""Largest longer side of a preview, in pixels, and its quality as a JPEG. As a PNG, a photo of this size takes a
hundred times as long to encode (30 ms instead of 0.3 ms), which the engine would feel where cores are few."""
PREVIEW_INTERVAL_S = 0.1
"""Least seconds between two previews: nobody would see more, and a quick task has hundreds of steps a second."""
MAX_PENDING_EVENTS = 32
"""Number of progress events that wait for a slow client; the oldest are dropped first."""
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Response headers that keep caches and nginx from holding events back."""
Compose = Callable[[Any], Awaitable[Callable[[], Outcome]]]
"""From a task's result to a function that makes the outcome, once all else that the response needs is there.
The function takes time, so it is called on a thread of `Service.presenters`."""


@dataclass(frozen=True)
class Update:
    """Progress on its way to a client.

    `preview` is a small copy of the picture so far, and `change` shows in the same size what has changed since the
    start. Each is None if the client asked for no previews, or the task has none.
    """

    progress: Progress
    preview: UInt8[Tensor, "3 h w"] | None = None
    change: UInt8[Tensor, "3 h w"] | None = None


class Inbox:
    """Carries progress from the engine's thread to one client; a slow client gets the latest events only."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, previews: bool) -> None:
        self._loop = loop
        self._previews = previews
        self._next_preview = 0.0
        self._pending: deque[Update] = deque(maxlen=MAX_PENDING_EVENTS)
        self._changed = asyncio.Event()

    def put(self, progress: Progress) -> None:
        """Add progress, on the engine's thread, with small copies of its pictures if it is time for a preview.

        Small copies, since the task's own pictures may be large.
        """
        due = self._previews and (progress.step >= progress.steps or time.monotonic() >= self._next_preview)
        if due:
            self._next_preview = time.monotonic() + PREVIEW_INTERVAL_S
        self._pending.append(_with_small_copies(progress) if due else Update(_without_pictures(progress)))
        self.wake()

    def wake(self, _: object = None) -> None:
        """Let `wait` return, also where no progress was added."""
        self._loop.call_soon_threadsafe(self._changed.set)

    async def wait(self) -> None:
        """Wait until progress was added or `wake` was called since the last wait."""
        await self._changed.wait()
        self._changed.clear()

    def take(self) -> list[Update]:
        """The updates that were added since the last call; does not wait."""
        return [self._pending.popleft() for _ in range(len(self._pending))]


def _without_pictures(progress: Progress) -> Progress:
    return replace(progress, picture=None, start=None)


def _with_small_copies(progress: Progress) -> Update:
    picture, start = progress.render(), progress.render_start()
    if picture is None:
        return Update(_without_pictures(progress))
    small = reduced(picture, PREVIEW_SIDE)
    # The difference of the reduced floating-point pictures: 8-bit levels would lose most of a small change.
    change = None if start is None else amplified(small - reduced(start, PREVIEW_SIDE))
    return Update(_without_pictures(progress), to_levels(small), change)


def event_stream(
    request: Request,
    service: Service,
    future: "Future[Any] | asyncio.Future[Any]",
    inbox: Inbox,
    compose: Compose,
    *,
    classes: Sequence[str],
    leave: Callable[[], object],
) -> Response:
    """Stream the progress in the inbox until the future is done, then its outcome; `leave` is called at the end.

    `classes` are the names of the model's classes, in the order of their indices.
    """

    async def events() -> AsyncIterator[bytes]:
        try:
            done = False
            while not done:
                await inbox.wait()
                done = future.done()  # read before the inbox, so that progress which comes in between is not lost
                for update in inbox.take():
                    event = await run_in_threadpool(_progress_event, update, classes)
                    yield format_sse_event(event="progress", data_str=event)
            outcome = await compose(future.result())
            body = await run_sync(timed_work("encoded", lambda: outcome().json()), limiter=service.presenters)
            yield format_sse_event(event="result", data_str=body)
        except Exception as error:
            details = returned_problem(error, getattr(request.state, "request_id", ""))
            if details.status == 500:
                logger.exception("request %s failed after its event stream had begun", details.request_id)
            yield format_sse_event(event="problem", data_str=details.model_dump_json())
        finally:
            leave()  # the client left, or nothing remains to be cancelled

    stream = events()
    # If the client left before the stream began, the generator never runs, and neither does its `finally`. Python may
    # throw it away on any thread, but only the event loop's may call `leave`.
    weakref.finalize(stream, _call_on, asyncio.get_running_loop(), leave).atexit = False
    return EventSourceResponse(stream, headers=STREAM_HEADERS)


def _call_on(loop: asyncio.AbstractEventLoop, leave: Callable[[], object]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed, and all that ran on it has ended
        loop.call_soon_threadsafe(leave)


def _progress_event(update: Update, classes: Sequence[str]) -> str:
    progress, eta_s = update.progress, update.progress.eta_s()
    event = ProgressEvent(
        step=progress.step,
        steps=progress.steps,
        score=progress.score(),
        success=progress.success,
        eta_s=None if eta_s is None else round(eta_s, 1),
    )
    probabilities = progress.probabilities()
    if probabilities is not None:
        event.probabilities = [
            Prediction(label=classes[index], index=index, probability=probability)
            for index, probability in probabilities
        ]
    if update.preview is not None:
        event.preview = data_url(update.preview, format="jpeg", quality=PREVIEW_QUALITY)
    if update.change is not None:
        event.change = data_url(update.change, format="jpeg", quality=PREVIEW_QUALITY)
    return event.model_dump_json(exclude_unset=True)
