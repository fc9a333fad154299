"""Gets the response of GET /ideal: from the cache, from a computation that is already running, or from a new one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from anyio.to_thread import run_sync
from fastapi import Request
from starlette.responses import Response

from app.engine.deadline import Deadline
from app.engine.progress import Listener
from app.engine.shared_computations import Work
from app.ideal.drawing import draw_film, film_key, load_or_draw
from app.ideal.order import Order
from app.ideal.resolved_request import ResolvedRequest
from app.ideal.stored_ideal import StoredIdeal, load_stored
from app.telemetry.record import current_record
from app.web.events import Inbox, event_stream
from app.web.formats import Format
from app.web.outcomes import Outcome
from app.web.service import Service, result_while_connected
from app.web.ticket import arrival

Result = TypeVar("Result")
Stored = TypeVar("Stored", bytes | None, StoredIdeal | None)
FILMS = (Format.film, Format.gif)
"""The formats that show how the picture emerges."""


async def is_stored(service: Service, key: str, format: Format) -> bool:
    """Whether the cache has the response in this format, so that nothing needs to be drawn."""
    if format in FILMS:
        return await run_sync(service.cache.get, film_key(key, format)) is not None
    return await run_sync(load_stored, service, key) is not None


async def check_room(service: Service, key: str) -> None:
    """Raise Overloaded or ShuttingDown where the picture must be drawn, and the engine has no room for it."""
    if key not in service.shared and await run_sync(load_stored, service, key) is None:
        service.engine.check_room()


async def picture(request: Request, service: Service, resolved: ResolvedRequest, key: str) -> StoredIdeal:
    """The response with the finished pictures, for any format but a film; ClientLeft if the client leaves first."""
    stored = _noted(await run_sync(load_stored, service, key))
    if stored is not None:
        return stored

    def work(listener: Listener, deadline: Deadline) -> Awaitable[StoredIdeal]:
        return load_or_draw(service, resolved, key, Order(service, request, resolved, deadline), listener)

    return await _share(request, service, key, work)


async def film(request: Request, service: Service, resolved: ResolvedRequest, key: str, format: Format) -> bytes:
    """The film as a file, in one of FILMS; ClientLeft if the client leaves first."""
    stored = _noted(await run_sync(service.cache.get, film_key(key, format)))
    if stored is not None:
        return stored

    def work(listener: Listener, deadline: Deadline) -> Awaitable[bytes]:
        return draw_film(service, resolved, key, format, Order(service, request, resolved, deadline), listener)

    return await _share(request, service, film_key(key, format), work)


async def stream(
    request: Request, service: Service, resolved: ResolvedRequest, key: str, *, previews: bool
) -> Response:
    """The event stream of the drawing; raises what `Order` raises before it begins."""
    inbox = Inbox(asyncio.get_running_loop(), previews=previews)
    stored = _noted(await run_sync(load_stored, service, key))

    def work(listener: Listener, deadline: Deadline) -> Awaitable[StoredIdeal]:
        return load_or_draw(service, resolved, key, Order(service, request, resolved, deadline), listener)

    async def compose(stored: StoredIdeal) -> Callable[[], Outcome]:
        return stored.outcome

    def events(result: "asyncio.Future[StoredIdeal]", leave: Callable[[], object]) -> Response:
        result.add_done_callback(inbox.wake)
        classes = resolved.model.spec.classes
        return event_stream(request, service, result, inbox, compose, classes=classes, leave=leave)

    if stored is not None:
        result: asyncio.Future[StoredIdeal] = asyncio.get_running_loop().create_future()
        result.set_result(stored)
        return events(result, result.cancel)
    subscription = service.shared.join(key, work, inbox.put, until=_deadline(request, service))
    return events(subscription.task, subscription.leave)


def _noted(stored: Stored) -> Stored:
    """The same, after it is noted whether the cache had the response."""
    if (record := current_record()) is not None:
        record.from_cache = stored is not None
    return stored


def _deadline(request: Request, service: Service) -> float:
    """When the request must be answered, on the clock of time.monotonic()."""
    return arrival(request) + service.settings.deadline_s


async def _share(request: Request, service: Service, key: str, work: Work[Result]) -> Result:
    """The result of the work, which all requests with this key share; it is cancelled when the last client leaves.

    Raises DeadlineExceeded at the deadline of this request, after which the work goes on for the others.
    """
    until = _deadline(request, service)
    subscription = service.shared.join(key, work, until=until)
    try:
        result: Result = await result_while_connected(request, subscription.task, until)
        return result
    finally:
        subscription.leave()
