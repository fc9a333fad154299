"""A task's outcome in the representation that the client asked for: picture, JSON or event stream."""

import asyncio
import base64
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import Request
from fastapi.sse import EventSourceResponse, format_sse_event
from jaxtyping import UInt8
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from torch import Tensor
from torchvision.transforms.v2 import functional

from app.formats import MEDIA_TYPES, Format
from app.problems import problem
from app.service import Service, result_for
from models.pictures import encode
from models.preprocessing import to_levels
from models.query import Progress, Task
from models.store import Model

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
PREVIEW_SIDE = 160
KEPT_EVENTS = 32


@dataclass(frozen=True)
class Outcome:
    """What a task came to: every figure as plain JSON, the pictures by name, and what goes into headers.

    `kind` is the JSON body, which has the figures and the pictures as data URLs. A picture answer is `image`.
    """

    kind: type[BaseModel]
    figures: dict[str, Any]
    pictures: dict[str, UInt8[Tensor, "3 h w"]]
    headers: dict[str, str]

    def json(self) -> str:
        """The body; encodes every picture."""
        urls = {name: data_url(picture) for name, picture in self.pictures.items()}
        return self.kind(**self.figures, **urls).model_dump_json()


Tell = Callable[[Any, float], Outcome]
"""From a task's result and its seconds to its outcome."""


def data_url(picture: UInt8[Tensor, "3 h w"]) -> str:
    """The picture as a PNG in a data URL."""
    return "data:image/png;base64," + base64.b64encode(encode(picture)).decode()


async def present(
    request: Request,
    service: Service,
    task: Task[Result],
    model: Model,
    tell: Tell,
    *,
    format: Format,
    previews: bool = False,
    deadline_s: float | None = None,
) -> Response:
    """Run the task and answer with its outcome in the format, which for events begins at once."""
    begun = time.monotonic()

    def told(result: Result) -> Outcome:
        return tell(result, time.monotonic() - begun)

    if format is Format.events:
        inbox = Inbox(asyncio.get_running_loop())
        future = service.submit(task, model, deadline_s=deadline_s, on_progress=inbox.put)
        future.add_done_callback(inbox.wake)
        events = _events(request, future, inbox, told, previews)
        return EventSourceResponse(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    future = service.submit(task, model, deadline_s=deadline_s)
    result = await result_for(request, future)
    return await run_in_threadpool(lambda: _respond(told(result), format))


def _respond(outcome: Outcome, format: Format) -> Response:
    headers = {f"X-Mirage-{key}": quote(value, safe=" ,./") for key, value in outcome.headers.items()}
    headers["Vary"] = "Accept"
    if format is Format.json:
        return Response(outcome.json(), media_type=MEDIA_TYPES[format], headers=headers)
    text = {"Software": "Mirage", "mirage": json.dumps(outcome.figures)}
    picture = encode(outcome.pictures["image"], format=format.value, text=text)
    return Response(picture, media_type=MEDIA_TYPES[format], headers=headers)


class Inbox:
    """Progress on its way from the engine's thread to one client; of what a slow client misses the latest is kept."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._kept: deque[Progress] = deque(maxlen=KEPT_EVENTS)
        self._something = asyncio.Event()

    def put(self, progress: Progress) -> None:
        """Called on the engine's thread."""
        self._kept.append(progress)
        self.wake()

    def wake(self, _: object = None) -> None:
        """Let `drain` return, also with nothing new."""
        self._loop.call_soon_threadsafe(self._something.set)

    async def wait(self) -> None:
        """Wait until something has happened since the last wait."""
        await self._something.wait()
        self._something.clear()

    def take(self) -> list[Progress]:
        """What has come in since the last call, without waiting."""
        return [self._kept.popleft() for _ in range(len(self._kept))]


async def _events(
    request: Request, future: "Future[Any]", inbox: Inbox, told: Callable[[Any], Outcome], previews: bool
) -> AsyncIterator[bytes]:
    try:
        done = False
        while not done:
            await inbox.wait()
            done = future.done()  # asked before the last progress is taken, so that none is lost
            for progress in inbox.take():
                event = await run_in_threadpool(_progress_event, progress, previews)
                yield format_sse_event(event="progress", data_str=json.dumps(event))
        body = await run_in_threadpool(lambda: told(future.result()).json())
        yield format_sse_event(event="result", data_str=body)
    except Exception as error:
        details = problem(error, getattr(request.state, "request_id", ""))
        if details["status"] == 500:
            logger.exception("request %s failed midway", details["request_id"])
        yield format_sse_event(event="problem", data_str=json.dumps(details))
    finally:
        future.cancel()  # the client left, or nothing is left to cancel


def _progress_event(progress: Progress, previews: bool) -> dict[str, Any]:
    event: dict[str, Any] = {"step": progress.step, "steps": progress.steps, "score": progress.score}
    if previews and progress.preview is not None:
        event["preview"] = data_url(thumbnail(progress.preview))
    return event


def thumbnail(picture: Tensor) -> Tensor:
    """The picture [3, h, w] in [0, 1] as levels, its longer side at most PREVIEW_SIDE pixels."""
    height, width = picture.shape[1:]
    scale = min(1.0, PREVIEW_SIDE / max(height, width))
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    return to_levels(functional.resize(picture, size, antialias=True))
