"""The endpoint POST /explain: shows on which pixels a prediction depends."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response
from torch import Tensor

from app.inside.requests import ExplainOptions
from app.inside.responses import ExplainResult
from app.memory.costs import EXPLAINED, of_pixels
from app.web.formats import choose_format
from app.web.openapi import picture_request, picture_responses, problems
from app.web.outcomes import Outcome
from app.web.presentation import present
from app.web.service import ServiceDependency
from app.web.ticket import TicketDependency
from app.web.uploads.uploads import decode_upload, form_of
from models.explain import Explanation, check_explanation, explain, explain_options
from models.layers import Layer
from models.overlay import overlay
from models.store import Model

router = APIRouter(tags=["pictures"])


@router.post(
    "/explain",
    summary="Show the pixels on which a prediction depends",
    response_class=Response,
    responses=picture_responses(ExplainResult) | problems(400, 404, 406, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(ExplainOptions),
)
async def post_explain(
    request: Request,
    service: ServiceDependency,
    form: Annotated[ExplainOptions, Depends(form_of(ExplainOptions))],
    ticket: TicketDependency,
) -> Response:
    """Draw a heat map over the picture, of the pixels on which the score of a class depends.

    Grad-CAM shows which regions support the class; it needs a layer with feature maps. SmoothGrad and integrated
    gradients work for every network, and show which pixels raise or lower the score of the class.
    """
    format = choose_format(request.headers.getlist("Accept"), form.format)
    model = service.model(form.model)
    check_explanation(model.spec)  # refuses before the picture is decoded, and so does explain_options
    target = None if form.target is None else model.spec.names.find(form.target)
    options = form.chosen_options()
    layer = _layer(form, model)
    explain_options(form.method, options, layer)
    picture = await decode_upload(form.image, ticket, of_pixels(EXPLAINED))
    task = explain(picture, model.spec, target=target, method=form.method, layer=layer, **options)
    to_outcome = partial(_to_outcome, model=model, picture=picture)
    return await present(ticket, task, model, to_outcome, format=format)


def _layer(form: ExplainOptions, model: Model) -> Layer | None:
    """The layer of the request, else the default layer of Grad-CAM; None for the other methods."""
    layers = model.classifier.layers
    if form.layer is not None:
        return layers.find(form.layer)
    return layers.last_map if form.method == "grad_cam" else None


def _to_outcome(result: Explanation, seconds: float, *, model: Model, picture: Tensor) -> Outcome:
    headers = {
        "Model": model.name,
        "Version": model.version,
        "Label": result.target.label,
        "Probability": f"{result.target.probability:.4f}",
    }
    image = partial(overlay, picture, result.heat, model.spec)
    body = ExplainResult.of(result, image, model=model, seconds=seconds)
    return Outcome(body, image, headers)
