"""The endpoint POST /adversarial/curve: measures how easily the model is fooled about one picture."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.adversarial.curve_requests import CurveOptions
from app.adversarial.curve_responses import CurveResult
from app.memory.costs import CURVED, of_pixels
from app.web.formats import choose_format
from app.web.openapi import picture_request, picture_responses, problems
from app.web.outcomes import Outcome
from app.web.presentation import present
from app.web.service import ServiceDependency
from app.web.ticket import TicketDependency
from app.web.uploads.uploads import decode_upload, form_of
from models.attacks.curves.curve import Curve, check_curve, curve
from models.store import Model

router = APIRouter(tags=["pictures"])


@router.post(
    "/adversarial/curve",
    summary="Measure how easily the model is fooled about a picture",
    response_class=Response,
    responses=picture_responses(CurveResult) | problems(400, 404, 406, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(CurveOptions),
)
async def post_curve(
    request: Request,
    service: ServiceDependency,
    form: Annotated[CurveOptions, Depends(form_of(CurveOptions))],
    ticket: TicketDependency,
) -> Response:
    """Find the smallest perturbation that fools the model in each norm, and what an attack achieves within each budget.

    The picture of the response is a plot of two probabilities against the budget: that of the original class, and that
    of the target class (without a target, of all other classes together).
    """
    format = choose_format(request.headers.getlist("Accept"), form.format)
    model = service.model(form.model)
    check_curve(model.spec)  # refuses before the picture is decoded
    target = None if form.target is None else model.spec.names.find(form.target)
    ticket.shorten(form.deadline_s)
    picture = await decode_upload(form.image, ticket, of_pixels(CURVED))
    task = curve(
        picture,
        model.spec,
        target=target,
        norms=form.norms,
        norm=form.norm,
        effort=form.effort,
        steps=form.steps,
        seed=form.seed,
        best_at_deadline=form.deadline_s is not None,
        rows=service.query_rows(model),
    )
    return await present(
        ticket,
        task,
        model,
        partial(_to_outcome, model=model),
        format=format,
        best_at_deadline=form.deadline_s is not None,
    )


def _to_outcome(result: Curve, seconds: float, *, model: Model) -> Outcome:
    body = CurveResult.of(result, model=model, seconds=seconds)
    return Outcome(body, body.image, {"Model": model.name, "Version": model.version})
