"""POST /features: what a layer makes of a picture."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.inside.requests import FeaturesOptions
from app.inside.responses import FeaturesResult
from app.web.formats import choose_format
from app.web.openapi import picture_request, picture_responses, problems
from app.web.schemas import LayerDetail
from app.web.service import ServiceDependency
from app.web.streaming import Outcome, ToOutcome, present
from app.web.uploads.uploads import decoded, form_of
from models.feature_sheet import feature_sheet
from models.features import Features, features

router = APIRouter(tags=["pictures"])

STRONGEST = {"channel": 17, "strength": 0.83, "mean": 0.83, "largest": 4.1}
EXAMPLE = {
    "model": "cats-dogs",
    "layer": {
        "name": "features.2", "kind": "InvertedResidual", "channels": 24, "height": 56, "width": 56, "decides": True
    },
    "prediction": {"label": "cat", "index": 0, "probability": 0.999},
    "shown": [17, 3],
    "channels": [STRONGEST, {"channel": 3, "strength": 0.51, "mean": -0.2, "largest": 2.2}],
    "image": "data:image/png;base64,...",
    "passes": {"forward": 1, "backward": 0},
    "seconds": 0.4,
}  # fmt: skip


@router.post(
    "/features",
    summary="Show a layer's feature maps",
    response_class=Response,
    responses=picture_responses(FeaturesResult, EXAMPLE) | problems(400, 404, 406, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(FeaturesOptions),
)
async def post_features(
    request: Request,
    service: ServiceDependency,
    form: Annotated[FeaturesOptions, Depends(form_of(FeaturesOptions))],
) -> Response:
    """The maps of the channels that a picture calls forth most, or that are named: a labelled sheet, or JSON."""
    format = choose_format(request.headers.getlist("Accept"), form.format)
    model = service.registry.get(form.model)
    layer = model.classifier.layers.find(form.layer)
    channels = _channels(form.channels)
    for channel in channels if isinstance(channels, list) else ():
        layer.check_channel(channel)  # judged before the picture is decoded
    picture = await decoded(form.image, service)
    task = features(picture, model.spec, layer, channels=channels)
    return await present(request, service, task, model, _to_outcome(model.name), format=format)


def _channels(text: str) -> int | list[int]:
    """`16` is how many, `3,17` and `3,` are which."""
    if "," not in text:
        return int(text)
    return [int(part) for part in text.split(",") if part.strip()]


def _to_outcome(model: str) -> ToOutcome:
    def to_outcome(result: Features, seconds: float) -> Outcome:
        figures: dict[str, Any] = {
            "model": model,
            "layer": LayerDetail.model_validate(result.layer, from_attributes=True).model_dump(),
            "prediction": asdict(result.prediction),
            "shown": [each.channel for each in result.shown],
            "channels": [asdict(each) for each in result.channels],
            "passes": asdict(result.passes),
            "seconds": round(seconds, 3),
        }
        headers = {"Model": model, "Layer": result.layer.name, "Label": result.prediction.label}
        return Outcome(FeaturesResult, figures, feature_sheet(result, model), headers)

    return to_outcome
