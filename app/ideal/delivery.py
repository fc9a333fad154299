"""Gets the response of GET /ideal: from the cache, from a computation that is already running, or from a new one."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from anyio.to_thread import run_sync
from fastapi import Request
from starlette.responses import Response

from app.engine.progress import Listener
from app.ideal.drawing import draw_film, film_key, load_or_draw
from app.ideal.resolved_request import ResolvedRequest
from app.ideal.stored_ideal import StoredIdeal, load_stored
from app.web.events import Inbox, event_stream
from app.web.formats import Format
from app.web.outcomes import Outcome
from app.web.service import Service, result_while_connected

Result = TypeVar("Result")
FILMS = (Format.film, Format.gif)
"""The formats that show how the picture emerges."""


async def is_stored(service: Service, key: str, format: Format) -> bool:
    """Whether the cache has the response in this format, so that nothing needs to be drawn."""
    if format in FILMS:
        return await run_sync(service.cache.get, film_key(key, format)) is not None
    return await run_sync(load_stored, service, key) is not None


async def check_room(service: Service, request: ResolvedRequest, key: str) -> None:
    """Raise Overloaded or ShuttingDown where the picture must be drawn, and the engine has no room for it."""
    if key not in service.shared and await run_sync(load_stored, service, key) is None:
        service.engine.check_room(request.weight)


async def picture(request: Request, service: Service, resolved: ResolvedRequest, key: str) -> StoredIdeal:
    """The response with the finished pictures, for any format but a film; ClientLeft if the client leaves first."""
    return await _share(request, service, key, partial(load_or_draw, service, resolved, key))


async def film(request: Request, service: Service, resolved: ResolvedRequest, key: str, format: Format) -> bytes:
    """The film as a file, in one of FILMS; ClientLeft if the client leaves first."""
    stored = await run_sync(service.cache.get, film_key(key, format))
    if stored is not None:
        return stored
    return await _share(request, service, film_key(key, format), partial(draw_film, service, resolved, key, format))


async def stream(
    request: Request, service: Service, resolved: ResolvedRequest, key: str, *, previews: bool
) -> Response:
    """The event stream of the drawing; raises Overloaded or ShuttingDown before it begins."""
    inbox = Inbox(asyncio.get_running_loop(), previews=previews)
    await check_room(service, resolved, key)
    subscription = service.shared.join(key, partial(load_or_draw, service, resolved, key), inbox.put)
    subscription.task.add_done_callback(inbox.wake)

    async def compose(stored: StoredIdeal) -> Callable[[], Outcome]:
        return stored.outcome

    classes = resolved.model.spec.classes
    return event_stream(request, service, subscription.task, inbox, compose, classes=classes, leave=subscription.leave)


async def _share(request: Request, service: Service, key: str, work: Callable[[Listener], Awaitable[Result]]) -> Result:
    """The result of the work, which all requests with this key share; it is cancelled when the last client leaves."""
    subscription = service.shared.join(key, work)
    try:
        result: Result = await result_while_connected(request, subscription.task)
        return result
    finally:
        subscription.leave()
