"""A task's outcome in the representation that the client asked for: picture, JSON or event stream."""

import asyncio
import base64
import json
import logging
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import Request
from fastapi.sse import EventSourceResponse, format_sse_event
from jaxtyping import UInt8
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from torch import Tensor

from app.web.formats import MEDIA_TYPES, Format
from app.web.problems import problem
from app.web.service import Service, result_for
from app.web.thumbnail import thumbnail
from models.pictures import JPEG_QUALITY, encode
from models.query import Progress, Task
from models.store import Model

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
PREVIEW_SIDE = 160
KEPT_EVENTS = 32
HEADERS = (
    "Model",
    "Label",
    "Probability",
    "Success",
    "Original-Label",
    "Linf",
    "L2",
    "Layer",
    "Activation",
    "Robust",
    "Reason",
)
"""X-Mirage-..., the figures beside a picture."""
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True)
class Outcome:
    """What a task came to: every figure as plain JSON, the pictures by name, and what goes into headers.

    `kind` is the JSON body, which has the figures and, as data URLs, the `image` and the `others`, drawn for it
    alone. A picture answer is the `image`.
    """

    kind: type[BaseModel]
    figures: dict[str, Any]
    image: UInt8[Tensor, "3 h w"]
    headers: dict[str, str]
    others: Mapping[str, Callable[[], Tensor]] = field(default_factory=dict)
    jpeg_quality: int = JPEG_QUALITY

    def json(self) -> str:
        """The body; encodes every picture."""
        urls = {name: data_url(drawn()) for name, drawn in self.others.items()}
        return self.kind(**self.figures, image=data_url(self.image), **urls).model_dump_json()

    def text(self) -> dict[str, Any]:
        """What stands in a PNG's text chunk: figures alone (a patch has a picture of its own)."""
        return {name: value for name, value in self.figures.items() if name != "patch"}


ToOutcome = Callable[[Any, float], Outcome]
"""From a task's result and its seconds to its outcome."""


def data_url(picture: UInt8[Tensor, "3 h w"]) -> str:
    """The picture as a PNG in a data URL."""
    return "data:image/png;base64," + base64.b64encode(encode(picture)).decode()


async def present(
    request: Request,
    service: Service,
    task: Task[Result],
    model: Model,
    to_outcome: ToOutcome,
    *,
    format: Format,
    previews: bool = False,
    deadline_s: float | None = None,
    weight: int = 0,
) -> Response:
    """Run the task and answer with its outcome in the format, which for events begins at once."""
    begun = time.monotonic()

    def outcome_of(result: Result) -> Outcome:
        return to_outcome(result, time.monotonic() - begun)

    if format is Format.events:
        inbox = Inbox(asyncio.get_running_loop(), previews=previews)
        future = service.submit(task, model, deadline_s=deadline_s, on_progress=inbox.put, weight=weight)
        future.add_done_callback(inbox.wake)
        return event_stream(request, service, future, inbox, outcome_of, leave=future.cancel)
    future = service.submit(task, model, deadline_s=deadline_s, weight=weight)
    result = await result_for(request, future)
    return await run_sync(lambda: respond(outcome_of(result), format), limiter=service.presenters)


def respond(outcome: Outcome, format: Format) -> Response:
    """The outcome as a picture or JSON; encodes it."""
    headers = picture_headers(outcome)
    headers["Vary"] = "Accept"
    if format is Format.json:
        return Response(outcome.json(), media_type=MEDIA_TYPES[format], headers=headers)
    text = {"Software": "Mirage", "mirage": json.dumps(outcome.text())}
    picture = encode(outcome.image, format=format.value, text=text, quality=outcome.jpeg_quality)
    return Response(picture, media_type=MEDIA_TYPES[format], headers=headers)


def picture_headers(outcome: Outcome) -> dict[str, str]:
    """The figures that go beside a picture, percent-encoded."""
    assert set(outcome.headers) <= set(HEADERS), "each is listed in HEADERS, or pages of other origins cannot read it"
    return {f"X-Mirage-{key}": quote(value, safe=" ,./") for key, value in outcome.headers.items()}


class Inbox:
    """Progress on its way from the engine's thread to one client; of what a slow client misses the latest is kept."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, previews: bool) -> None:
        self._loop = loop
        self._previews = previews
        self._kept: deque[tuple[Progress, Tensor | None]] = deque(maxlen=KEPT_EVENTS)
        self._something = asyncio.Event()

    def put(self, progress: Progress) -> None:
        """Called on the engine's thread; keeps a small copy of the preview: the task's own picture may be large."""
        preview = progress.render() if self._previews else None  # drawn at each asking
        small = thumbnail(preview, PREVIEW_SIDE) if preview is not None else None
        self._kept.append((replace(progress, picture=None), small))
        self.wake()

    def wake(self, _: object = None) -> None:
        """Let `drain` return, also with nothing new."""
        self._loop.call_soon_threadsafe(self._something.set)

    async def wait(self) -> None:
        """Wait until something has happened since the last wait."""
        await self._something.wait()
        self._something.clear()

    def take(self) -> list[tuple[Progress, Tensor | None]]:
        """What has come in since the last call, each with its preview, without waiting."""
        return [self._kept.popleft() for _ in range(len(self._kept))]


def event_stream(
    request: Request,
    service: Service,
    future: "Future[Any] | asyncio.Future[Any]",
    inbox: Inbox,
    outcome_of: Callable[[Any], Outcome],
    *,
    leave: Callable[[], object],
) -> Response:
    """What comes into the inbox until the future is done, then its outcome; `leave` is called in the end."""

    async def events() -> AsyncIterator[bytes]:
        try:
            done = False
            while not done:
                await inbox.wait()
                done = future.done()  # asked before the last progress is taken, so that none is lost
                for progress, preview in inbox.take():
                    event = await run_in_threadpool(_progress_event, progress, preview)
                    yield format_sse_event(event="progress", data_str=json.dumps(event))
            body = await run_sync(lambda: outcome_of(future.result()).json(), limiter=service.presenters)
            yield format_sse_event(event="result", data_str=body)
        except Exception as error:
            details = problem(error, getattr(request.state, "request_id", ""))
            if details["status"] == 500:
                logger.exception("request %s failed midway", details["request_id"])
            yield format_sse_event(event="problem", data_str=json.dumps(details))
        finally:
            leave()  # the client left, or nothing is left to cancel

    begun = events()
    # A generator that was never begun, because the client left before, does not come to its `finally`.
    weakref.finalize(begun, leave)
    return EventSourceResponse(begun, headers=STREAM_HEADERS)


def _progress_event(progress: Progress, preview: Tensor | None) -> dict[str, Any]:
    event: dict[str, Any] = {"step": progress.step, "steps": progress.steps, "score": progress.score()}
    if preview is not None:
        event["preview"] = data_url(preview)
    return event
