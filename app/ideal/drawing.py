"""Draws ideal pictures and films, has the judge look at them, and stores the responses in the cache."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from anyio.to_thread import run_sync
from torch import Tensor

from app.engine.batches import DoesNotFit
from app.engine.progress import Listener
from app.ideal.film import Film
from app.ideal.judge import ask_judge
from app.ideal.order import Order
from app.ideal.resolved_request import ResolvedRequest
from app.ideal.responses import IdealResult
from app.ideal.stored_ideal import StoredIdeal, load_stored
from app.telemetry.record import timed_work
from app.web.events import PREVIEW_SIDE
from app.web.formats import Format
from app.web.service import Service
from app.web.thumbnail import thumbnail
from models.ideal import ideal
from models.pictures import encode
from models.preprocessing import to_float
from models.query import Progress


async def load_or_draw(
    service: Service, request: ResolvedRequest, key: str, order: Order, listener: Listener
) -> StoredIdeal:
    """The stored response, or else a new one."""
    try:
        stored = await run_sync(load_stored, service, key)
        return stored or await draw(service, request, key, order, _with_small_previews(listener))
    finally:
        order.release()


async def draw(service: Service, request: ResolvedRequest, key: str, order: Order, listener: Listener) -> StoredIdeal:
    """Draw the pictures, ask the judge, and store the response if it is complete."""
    begun, rows = time.monotonic(), service.engine.max_rows
    device = service.registry.device
    task = ideal(request.subject, request.model.spec, method=request.method, device=device, **request.options)
    future = service.engine.submit(
        task,
        request.model.classifier,
        deadline=order.deadline,
        on_progress=listener,
        place=order.place,
    )
    result = await asyncio.wrap_future(future)
    verdicts = await ask_judge(service, request.judge, [drawn.picture for drawn in result.pictures])
    seconds = time.monotonic() - begun

    def store() -> StoredIdeal:
        body = IdealResult.of(
            result,
            verdicts or [None] * len(result.pictures),
            model=request.model,
            index=request.index,
            layer=request.layer,
            channel=request.channel,
            seconds=seconds,
        )
        complete = verdicts is not None and rows == service.engine.max_rows
        stored = StoredIdeal(body, tuple(encode(drawn.picture) for drawn in result.pictures), complete=complete)
        if stored.complete:
            service.cache.put(key, stored.to_bytes())
        return stored

    return await run_sync(timed_work("encoded", store), limiter=service.presenters)


def film_key(key: str, format: Format) -> str:
    """The cache key of the film, from that of the picture."""
    return f"{key}:{format.value}"


async def draw_film(
    service: Service, request: ResolvedRequest, key: str, format: Format, order: Order, listener: Listener
) -> bytes:
    """Draw the pictures again with a frame of every step, and store the film as well as the response.

    Raises DoesNotFit where a frame could not be kept.
    """
    try:
        return await _draw_film(service, request, key, format, order, listener)
    finally:
        order.release()


async def _draw_film(
    service: Service, request: ResolvedRequest, key: str, format: Format, order: Order, listener: Listener
) -> bytes:
    film, report_to_clients = Film(), _with_small_previews(listener)

    def listen(progress: Progress) -> None:
        report_to_clients(progress)
        film.add(progress)

    stored = await draw(service, request, key, order, listen)
    if film.incomplete:
        raise DoesNotFit

    def store() -> bytes:
        file = film.encode(stored.outcome().image(), format="gif" if format is Format.gif else "webp")
        service.cache.put(film_key(key, format), file)
        return file

    return await run_sync(timed_work("encoded", store), limiter=service.presenters)


def _with_small_previews(listener: Listener) -> Callable[[Progress], None]:
    """Passes progress on with a small preview, which is drawn at most once for all clients."""

    def shrink(progress: Progress) -> Tensor:
        preview = progress.render()
        assert preview is not None, "a drawing has a preview at every step"
        return to_float(thumbnail(preview, PREVIEW_SIDE))

    return lambda progress: listener(replace(progress, picture=cache(partial(shrink, progress))))
