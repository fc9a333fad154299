"""POST /explain: which pixels a decision rests on."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response
from torch import Tensor

from app.inside.requests import OPTION_NAMES, ExplainOptions
from app.inside.responses import ExplainResult
from app.web.formats import choose_format
from app.web.openapi import picture_request, picture_responses, problems
from app.web.service import ServiceDependency
from app.web.streaming import Outcome, ToOutcome, present
from app.web.uploads.uploads import decoded, form_of
from models.colour_map import coloured
from models.explain import Explanation, explain, explain_options
from models.layers import Layer
from models.overlay import overlay
from models.store import Model

router = APIRouter(tags=["pictures"])

EXAMPLE = {
    "model": "cats-dogs",
    "method": "grad_cam",
    "target": {"label": "cat", "index": 0, "probability": 0.999},
    "top": {"label": "cat", "index": 0, "probability": 0.999},
    "layer": "features",
    "missing": None,
    "image": "data:image/png;base64,...",
    "heat_map": "data:image/png;base64,...",
    "options": {},
    "passes": {"forward": 2, "backward": 1},
    "seconds": 0.3,
}


@router.post(
    "/explain",
    summary="Show which pixels a decision rests on",
    response_class=Response,
    responses=picture_responses(ExplainResult, EXAMPLE) | problems(400, 404, 406, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(ExplainOptions),
)
async def post_explain(
    request: Request,
    service: ServiceDependency,
    form: Annotated[ExplainOptions, Depends(form_of(ExplainOptions))],
) -> Response:
    """Heat on what the score of a class rests on: Grad-CAM on what speaks for it, where the network has maps.

    SmoothGrad and integrated gradients explain any network, by the pixels that speak for the class or against it.
    """
    format = choose_format(request.headers.getlist("Accept"), form.format)
    model = service.registry.get(form.model)
    target = None if form.target is None else model.spec.names.find(form.target)
    given = {key: value for key, value in form.model_dump(include=set(OPTION_NAMES)).items() if value is not None}
    layer = _layer(form, model)
    explain_options(form.method, given, layer)  # judged before the picture is decoded
    picture = await decoded(form.image, service)
    task = explain(picture, model.spec, target=target, method=form.method, layer=layer, **given)
    weight = picture.shape[1] * picture.shape[2]
    return await present(request, service, task, model, _to_outcome(model, picture), format=format, weight=weight)


def _layer(form: ExplainOptions, model: Model) -> Layer | None:
    layers = model.classifier.layers
    if form.layer is not None:
        return layers.find(form.layer)
    return layers.last_map if form.method == "grad_cam" else None


def _to_outcome(model: Model, picture: Tensor) -> ToOutcome:
    def to_outcome(result: Explanation, seconds: float) -> Outcome:
        figures: dict[str, Any] = {
            "model": model.name,
            "method": result.method,
            "target": asdict(result.target),
            "top": asdict(result.top),
            "layer": None if result.layer is None else result.layer.name,
            "missing": result.missing,
            "options": dict(result.options),
            "passes": asdict(result.passes),
            "seconds": round(seconds, 3),
        }
        headers = {
            "Model": model.name,
            "Label": result.target.label,
            "Probability": f"{result.target.probability:.4f}",
        }
        shown = overlay(picture, result.heat, model.spec)
        return Outcome(ExplainResult, figures, shown, headers, {"heat_map": lambda: coloured(result.heat)})

    return to_outcome
