"""GET /ideal/{class} and GET /ideal: the picture that the model holds ideal, for a class or for a channel."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.ideal.answer import look_up
from app.ideal.drawing import Wanted, film_key, kept_or_drawn, shoot
from app.ideal.judge import choose_judge
from app.ideal.requests import OPTION_NAMES, ChannelOptions, IdealOptions
from app.ideal.responses import IdealResult
from app.web.entity_tags import entity_tag, is_known
from app.web.formats import MEDIA_TYPES, Format, choose_format
from app.web.middleware.head import is_head
from app.web.openapi import picture_responses, problems, with_animation
from app.web.service import Service, ServiceDependency, result_while_there
from app.web.streaming import STREAM_HEADERS, Inbox, event_stream, respond
from models.ideal.options import ideal_options
from models.ideal.task import default_size
from models.layers import Layer
from models.store import Model

router = APIRouter(tags=["pictures"])

FILMS = (Format.film, Format.gif)
SCORE: dict[str, Any] = {
    "probability": 0.999,
    "activation": None,
    "on_noise": None,
    "rank": 1,
    "promised": 0.999,
    "robust": 0.99,
    "held_out": 0.985,
    "families": {"crops": 0.99, "shifts": 1.0, "blur": 0.97, "jpeg": 1.0, "noise": 0.99, "half": 0.99},
    "weakest": "blur",
    "slope": 1.21,
    "variation": 0.11,
    "transfer": {"model": "imagenet/squeezenet1_1", "label": "tabby", "probability": 0.41, "rank": 1},
}
EXAMPLE = {
    "model": "cats-dogs",
    "label": "cat",
    "index": 0,
    "layer": None,
    "channel": None,
    "image": "data:image/png;base64,...",
    "score": SCORE,
    "reason": None,
    "pictures": [{"seed": 0, "steps": 64, "score": SCORE, "reason": None, "image": None}],
    "options": {"method": "fourier", "steps": 64, "crops": 4, "tv": 20.0, "seed": 0, "count": 1, "size": 224},
    "passes": {"forward": 299, "backward": 256},
    "seconds": 7.5,
}
RESPONSES = with_animation(picture_responses(IdealResult, EXAMPLE)) | problems(404, 406, 422, 503, 504)


# `:path`, because a class may be called AC/DC
@router.get(
    "/ideal/{class:path}", summary="Draw the ideal picture of a class", response_class=Response, responses=RESPONSES
)
async def get_ideal(
    request: Request,
    service: ServiceDependency,
    name: Annotated[str, Path(alias="class", max_length=200, description="a class of the model, by name or index")],
    options: Annotated[IdealOptions, Query()],
) -> Response:
    """Gradient ascent from noise to what the model likes most about the class, and an honest score of the result.

    The score is of the picture as it is returned: probability and rank by /classify, what is left of it in crops, under
    blur, noise and JPEG, and what another served model sees. The same options and seed give the same picture: it is
    kept, has an ETag, and on a CPU is drawn anew to the same bytes by the same number of threads.
    """
    model = service.registry.get(options.model)
    return await _answer(request, service, model, model.spec.names.find(name), options)


@router.get(
    "/ideal", summary="Draw the ideal picture of a channel of a layer", response_class=Response, responses=RESPONSES
)
async def get_channel_ideal(
    request: Request, service: ServiceDependency, options: Annotated[ChannelOptions, Query()]
) -> Response:
    """As for a class: what one channel of a layer likes to see. GET /models/{name} lists the layers."""
    model = service.registry.get(options.model)
    layer = model.classifier.layers.find(options.layer)
    return await _answer(request, service, model, (layer, layer.check_channel(options.channel)), options)


async def _answer(
    request: Request, service: Service, model: Model, subject: int | tuple[Layer, int], options: IdealOptions
) -> Response:
    format = choose_format(request.headers.getlist("Accept"), options.format, among=tuple(Format))
    label = model.spec.classes[subject] if isinstance(subject, int) else None
    given = {key: value for key, value in options.model_dump(include=set(OPTION_NAMES)).items() if value is not None}
    size = options.size or default_size(model.spec)
    drawn = ideal_options(options.method, size, given, count=options.count, of_class=isinstance(subject, int))
    chosen = {**drawn, "seed": options.seed, "count": options.count, "size": size}
    judge = choose_judge(service, model, label, options.judge)
    wanted = Wanted(model, subject, options.method, chosen, judge)
    key = await run_sync(wanted.key, service.registry.device, service.engine.max_rows)
    if format is Format.events and is_head(request):
        await _check_room(service, wanted, key)
        return _without_body(MEDIA_TYPES[format], STREAM_HEADERS)
    if format is Format.events:
        return await _stream(request, service, wanted, key, previews=options.previews)
    tag = entity_tag(key, format)
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept"}
    if is_known(tag, request.headers.getlist("If-None-Match")):
        return Response(status_code=304, headers=headers)
    if is_head(request) and not await _is_kept(service, key, format):
        await _check_room(service, wanted, key)
        return _without_body(MEDIA_TYPES[format], headers)
    if format in FILMS:
        response = await _film(request, service, wanted, key, format)
    else:
        kept = await _shared(request, service, key, partial(kept_or_drawn, service, wanted, key))
        response = await run_sync(lambda: respond(kept.outcome(), format), limiter=service.presenters)
        if not kept.whole:
            headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    response.headers.update(headers)
    return response


async def _is_kept(service: Service, key: str, format: Format) -> bool:
    if format in FILMS:
        return await run_sync(service.cache.get, film_key(key, format)) is not None
    return await run_sync(look_up, service, key) is not None


async def _check_room(service: Service, wanted: Wanted, key: str) -> None:
    """Refuse with a status what would have to be drawn, and for which there is no room."""
    if key not in service.shared and await run_sync(look_up, service, key) is None:
        service.engine.check_room(wanted.weight)


def _without_body(media_type: str, headers: Mapping[str, str]) -> Response:
    """What is known of an answer before anything is drawn."""
    response = Response(media_type=media_type, headers=headers)
    del response.headers["Content-Length"]  # 0 would be said of the picture
    return response


async def _film(request: Request, service: Service, wanted: Wanted, key: str, format: Format) -> Response:
    film = await run_sync(service.cache.get, film_key(key, format))
    if film is None:
        film = await _shared(request, service, film_key(key, format), partial(shoot, service, wanted, key, format))
    return Response(film, media_type=MEDIA_TYPES[format])


async def _shared(request: Request, service: Service, key: str, work: Any) -> Any:
    """What the work comes to, for all who wait for it; it ends when the last of them has left."""
    seat = service.shared.join(key, work)
    try:
        return await result_while_there(request, seat.task)
    finally:
        seat.leave()


async def _stream(request: Request, service: Service, wanted: Wanted, key: str, *, previews: bool) -> Response:
    inbox = Inbox(asyncio.get_running_loop(), previews=previews)
    await _check_room(service, wanted, key)  # while an answer with a status can still be given
    seat = service.shared.join(key, partial(kept_or_drawn, service, wanted, key), inbox.put)
    seat.task.add_done_callback(inbox.wake)
    return event_stream(request, service, seat.task, inbox, lambda kept: kept.outcome(), leave=seat.leave)
