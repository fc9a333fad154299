"""Runs a task for a client and answers in the format that the client asked for."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from anyio.to_thread import run_sync
from fastapi import Request
from starlette.responses import Response

from app.web.events import Inbox, event_stream
from app.web.formats import Format
from app.web.outcomes import Outcome, respond
from app.web.service import Service, result_for
from models.query import Task
from models.store import Model

Result = TypeVar("Result")
ToOutcome = Callable[[Any, float], Outcome]
"""Makes the outcome from a task's result and the seconds that the task took."""


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
    follow_up: Callable[[Result], Awaitable[object]] | None = None,
) -> Response:
    """Run the task and answer with its outcome; an event stream begins before the task ends.

    `previews` puts small pictures into each event of progress. The deadline is `deadline_s` seconds from now, or the
    service's own where that is sooner. `weight` is the number of pixels that the task holds; pictures of more than
    MIRAGE_MAX_PIXELS in all are not worked on at one time.

    `to_outcome` runs on a thread of `Service.presenters`, of which all requests together have two: it must not wait
    for anything. Where the response needs more work of the engine, `follow_up` waits for it before that, and
    `to_outcome` gets what it returns in place of the task's result.
    """
    begun = time.monotonic()

    async def compose(result: Result) -> Callable[[], Outcome]:
        seconds = time.monotonic() - begun
        followed = result if follow_up is None else await follow_up(result)
        return lambda: to_outcome(followed, seconds)

    if format is Format.events:
        inbox = Inbox(asyncio.get_running_loop(), previews=previews)
        future = service.submit(task, model, deadline_s=deadline_s, on_progress=inbox.put, weight=weight)
        future.add_done_callback(inbox.wake)
        classes = model.spec.classes
        return event_stream(request, service, future, inbox, compose, classes=classes, leave=future.cancel)
    future = service.submit(task, model, deadline_s=deadline_s, weight=weight)
    result = await result_for(request, future)
    outcome = await result_for(request, asyncio.ensure_future(compose(result)))
    return await run_sync(lambda: respond(outcome(), format), limiter=service.presenters)
