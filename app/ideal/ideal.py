"""The endpoints GET /ideal/{class} and GET /ideal: draw the ideal picture of a class or of a channel."""

from collections.abc import Mapping
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.ideal import delivery
from app.ideal.requests import ChannelOptions, IdealOptions
from app.ideal.resolved_request import resolve
from app.ideal.responses import IdealResult
from app.telemetry.record import timed_work
from app.web.entity_tags import entity_tag, tag_matches
from app.web.events import STREAM_HEADERS
from app.web.formats import MEDIA_TYPES, Format, choose_format
from app.web.middleware.head import is_head
from app.web.openapi import Responses, picture_responses, problems, with_animation
from app.web.outcomes import respond
from app.web.service import Service, ServiceDependency
from models.layers import Layer
from models.store import Model

router = APIRouter(tags=["pictures"])

CACHE_HEADERS = {
    "ETag": "Identifier of the response: with it in the header If-None-Match, the same response is not sent again.",
    "Cache-Control": "no-cache: caches may keep the response, and ask each time whether it is still valid; or "
    "no-store, where a second opinion is missing, and for event streams.",
    "Vary": "The request header that chooses among the formats.",
}
NOT_MODIFIED: Responses = {
    304: {
        "description": "The client has the response already: its ETag is in the header If-None-Match.",
        "headers": {
            name: {"description": text, "required": True, "schema": {"type": "string"}}
            for name, text in CACHE_HEADERS.items()
        },
    }
}
RESPONSES = (
    with_animation(picture_responses(IdealResult, CACHE_HEADERS))
    | NOT_MODIFIED
    | problems(404, 406, 413, 422, 503, 504)
)


# `:path`, because the name of a class may contain a slash, such as AC/DC.
@router.get(
    "/ideal/{class:path}", summary="Draw the ideal picture of a class", response_class=Response, responses=RESPONSES
)
async def get_ideal(
    request: Request,
    service: ServiceDependency,
    name: Annotated[
        str,
        Path(alias="class", min_length=1, max_length=200, description="The class to draw, by name or by index from 0."),
    ],
    options: Annotated[IdealOptions, Query()],
) -> Response:
    """Draw the picture that the model finds most typical of a class, by gradient ascent from noise, and score it.

    The score is of the returned 8-bit picture: the probability and rank that POST /classify gives it, how much of that
    is left in crops, under blur, noise and JPEG, and what another served model predicts. The response has an ETag and
    is stored: the same options and seed give the same picture. On a CPU a picture that is drawn again, with the same
    number of threads, is the same file byte for byte.
    """
    model = service.model(options.model)
    return await _respond(request, service, model, model.spec.names.find(name), options)


@router.get(
    "/ideal", summary="Draw the ideal picture of a channel of a layer", response_class=Response, responses=RESPONSES
)
async def get_channel_ideal(
    request: Request, service: ServiceDependency, options: Annotated[ChannelOptions, Query()]
) -> Response:
    """Draw the picture to which one channel of a layer responds most; GET /models/{name} lists the layers.

    Everything else is as in GET /ideal/{class}.
    """
    model = service.model(options.model)
    layer = model.classifier.layers.find(options.layer)
    return await _respond(request, service, model, (layer, layer.check_channel(options.channel)), options)


async def _respond(
    request: Request, service: Service, model: Model, subject: int | tuple[Layer, int], options: IdealOptions
) -> Response:
    format = choose_format(request.headers.getlist("Accept"), options.format, offered=tuple(Format))
    resolved = resolve(service, model, subject, options)
    engine = service.engine
    key = await run_sync(resolved.cache_key, service.registry.device, engine.max_rows, engine.threads)
    if format is Format.events:
        if is_head(request):
            await delivery.check_room(service, key)
            return _without_body(MEDIA_TYPES[format], STREAM_HEADERS)
        return await delivery.stream(request, service, resolved, key, previews=options.previews)
    tag = entity_tag(key, format)
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept"}
    if tag_matches(tag, request.headers.getlist("If-None-Match")):
        return Response(status_code=304, headers=headers)
    if is_head(request) and not await delivery.is_stored(service, key, format):
        await delivery.check_room(service, key)
        return _without_body(MEDIA_TYPES[format], headers)
    if format in delivery.FILMS:
        film = await delivery.film(request, service, resolved, key, format)
        return Response(film, media_type=MEDIA_TYPES[format], headers=headers)
    stored = await delivery.picture(request, service, resolved, key)
    encode = timed_work("encoded", lambda: respond(stored.outcome(), format))
    response = await run_sync(encode, limiter=service.presenters)
    response.headers.update(headers if stored.complete else {"Cache-Control": "no-store", "Vary": "Accept"})
    return response


def _without_body(media_type: str, headers: Mapping[str, str]) -> Response:
    """The response to HEAD for a picture that is not drawn yet."""
    response = Response(media_type=media_type, headers=headers)
    del response.headers["Content-Length"]  # it would be 0, which is not the length of the picture
    return response
