"""The endpoint POST /features: shows the feature maps of a layer for one picture."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from jaxtyping import UInt8
from starlette.exceptions import HTTPException
from starlette.responses import Response
from torch import Tensor

from app.inside.requests import FeaturesOptions
from app.inside.responses import FeaturesResult
from app.memory.costs import SHOWN, of_pixels
from app.web.formats import Format, choose_format
from app.web.openapi import picture_request, picture_responses, problems
from app.web.outcomes import Outcome
from app.web.presentation import present
from app.web.service import ServiceDependency
from app.web.ticket import TicketDependency
from app.web.uploads.uploads import decode_upload, form_of
from models.features import Features, features
from models.store import Model

router = APIRouter(tags=["pictures"])
WITH_SEPARATE = (Format.json, Format.events)
"""The formats that can hold several pictures."""


@router.post(
    "/features",
    summary="Show a layer's feature maps",
    response_class=Response,
    responses=picture_responses(FeaturesResult) | problems(400, 404, 406, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(FeaturesOptions),
)
async def post_features(
    request: Request,
    service: ServiceDependency,
    form: Annotated[FeaturesOptions, Depends(form_of(FeaturesOptions))],
    ticket: TicketDependency,
) -> Response:
    """Draw the feature maps of a layer: of the strongest channels, or of named ones.

    All are in one labelled picture, or with `separate` each is a picture of its own.
    """
    format = choose_format(request.headers.getlist("Accept"), form.format)
    _check_separate(form, format)
    model = service.model(form.model)
    layer = model.classifier.layers.find(form.layer)
    channels = _channels(form.channels)
    for channel in channels if isinstance(channels, list) else ():
        layer.check_channel(channel)  # refuses before the picture is decoded
    picture = await decode_upload(form.image, ticket, of_pixels(SHOWN))
    task = features(picture, model.spec, layer, channels=channels)
    to_outcome = partial(_to_outcome, model=model, separate=form.separate)
    return await present(ticket, task, model, to_outcome, format=format)


def _check_separate(form: FeaturesOptions, format: Format) -> None:
    if form.separate and format not in WITH_SEPARATE:
        raise HTTPException(
            422,
            f"separate: a {format.value} response is a single picture and cannot hold separate feature maps: choose "
            f"format={' or format='.join(WITH_SEPARATE)}, or leave out separate",
        )


def _channels(text: str) -> int | list[int]:
    """The number of channels (`16`), or the indices of channels (`3,17`, or `3,` for a single one)."""
    if "," not in text:
        return int(text)
    return [int(part) for part in text.split(",") if part.strip()]


def _to_outcome(result: Features, seconds: float, *, model: Model, separate: bool) -> Outcome:
    headers = {
        "Model": model.name,
        "Version": model.version,
        "Layer": result.layer.name,
        "Label": result.prediction.label,
    }
    image = partial(_sheet, result, model.name)
    body = FeaturesResult.of(result, image, model=model, separate=separate, seconds=seconds)
    return Outcome(body, image, headers)


def _sheet(result: Features, model: str) -> UInt8[Tensor, "3 h w"]:
    from models.feature_sheet import feature_sheet  # late: it imports matplotlib (docs/decisions/0042)

    return feature_sheet(result, model)
