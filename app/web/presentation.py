"""Runs a task for a client and answers in the format that the client asked for."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from anyio.to_thread import run_sync
from starlette.responses import Response

from app.telemetry.record import timed_work
from app.web.events import Inbox, event_stream
from app.web.formats import Format
from app.web.outcomes import Outcome, respond
from app.web.service import result_for
from app.web.ticket import Ticket
from models.query import Task
from models.store import Model

Result = TypeVar("Result")
ToOutcome = Callable[[Any, float], Outcome]
"""Makes the outcome from a task's result and the seconds that the task took."""


async def present(
    ticket: Ticket,
    task: Task[Result],
    model: Model,
    to_outcome: ToOutcome,
    *,
    format: Format,
    previews: bool = False,
    best_at_deadline: bool = False,
    follow_up: Callable[[Result], Awaitable[object]] | None = None,
) -> Response:
    """Run the task and answer with its outcome; an event stream begins before the task ends.

    `previews` puts small pictures into each event of progress. With `best_at_deadline` the task returns its best result
    so far at the deadline, and is waited for; otherwise the response is an error then (DeadlineExceeded).

    `to_outcome` runs on a thread of `Service.presenters`, of which all requests together have two: it must not wait
    for anything. Where the response needs more work of the engine, `follow_up` waits for it before that, and
    `to_outcome` gets what it returns in place of the task's result.
    """
    begun, service = time.monotonic(), ticket.service

    async def compose(result: Result) -> Callable[[], Outcome]:
        seconds = time.monotonic() - begun
        followed = result if follow_up is None else await follow_up(result)
        return lambda: to_outcome(followed, seconds)

    if format is Format.events:
        inbox = Inbox(asyncio.get_running_loop(), previews=previews)
        future = ticket.submit(task, model, on_progress=inbox.put)
        future.add_done_callback(inbox.wake)
        classes = model.spec.classes
        return event_stream(ticket.request, service, future, inbox, compose, classes=classes, leave=future.cancel)
    until = math.inf if best_at_deadline else ticket.until
    result = await result_for(ticket.request, ticket.submit(task, model), until)
    outcome = await result_for(ticket.request, asyncio.ensure_future(compose(result)))
    return await run_sync(timed_work("encoded", lambda: respond(outcome(), format)), limiter=service.presenters)
