"""The endpoint POST /features: shows the feature maps of a layer for one picture."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.inside.requests import FeaturesOptions
from app.inside.responses import FeaturesResult
from app.web.formats import choose_format
from app.web.openapi import picture_request, picture_responses, problems
from app.web.outcomes import Outcome
from app.web.presentation import present
from app.web.service import ServiceDependency
from app.web.uploads.uploads import decode_upload, form_of
from models.features import Features, features

router = APIRouter(tags=["pictures"])


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
) -> Response:
    """Draw the feature maps of a layer in one labelled picture: of the strongest channels, or of named ones."""
    format = choose_format(request.headers.getlist("Accept"), form.format)
    model = service.registry.get(form.model)
    layer = model.classifier.layers.find(form.layer)
    channels = _channels(form.channels)
    for channel in channels if isinstance(channels, list) else ():
        layer.check_channel(channel)  # refuses before the picture is decoded
    picture = await decode_upload(form.image, service)
    task = features(picture, model.spec, layer, channels=channels)
    to_outcome = partial(_to_outcome, model=model.name)
    return await present(request, service, task, model, to_outcome, format=format)


def _channels(text: str) -> int | list[int]:
    """The number of channels (`16`), or the indices of channels (`3,17`, or `3,` for a single one)."""
    if "," not in text:
        return int(text)
    return [int(part) for part in text.split(",") if part.strip()]


def _to_outcome(result: Features, seconds: float, *, model: str) -> Outcome:
    headers = {"Model": model, "Layer": result.layer.name, "Label": result.prediction.label}
    body = FeaturesResult.of(result, model=model, seconds=seconds)
    return Outcome(body, body.image, headers)
