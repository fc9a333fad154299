"""POST /adversarial/curve and /adversarial/targets: how easily one picture is fooled, and as what."""

import math
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.adversarial.curve_requests import CurveOptions, TargetsOptions
from app.adversarial.curve_responses import CurveResult, NearestClasses
from app.web.formats import choose_format
from app.web.openapi import picture_request, picture_responses, problems
from app.web.service import ServiceDependency, result_for
from app.web.streaming import Outcome, ToOutcome, present
from app.web.uploads.uploads import decoded, form_of
from models.attacks.curve import Curve, curve
from models.attacks.plot import plot
from models.attacks.targets import NearClass, suggest_targets

router = APIRouter(prefix="/adversarial", tags=["pictures"])

EXAMPLE = {
    "model": "cats-dogs",
    "original": {"label": "dog", "index": 1, "probability": 0.998},
    "target": None,
    "smallest": {
        "linf": {"success": True, "label": "cat", "norms": {"linf": 0.0039, "l2": 0.9, "l1": 210.0, "l0": 41000}},
        "l2": {"success": True, "label": "cat", "norms": {"linf": 0.0118, "l2": 0.42, "l1": 44.0, "l0": 8700}},
    },
    "norm": "linf",
    "points": [
        {"epsilon": 0.0, "original": 0.998, "goal": 0.002, "success": False},
        {"epsilon": 0.0039, "original": 0.03, "goal": 0.97, "success": True},
    ],
    "image": "data:image/png;base64,...",
    "passes": {"forward": 900, "backward": 700},
    "stopped": False,
    "seconds": 25.0,
}


@router.post(
    "/curve",
    summary="Measure how easily the model is fooled about a picture",
    response_class=Response,
    responses=picture_responses(CurveResult, EXAMPLE) | problems(400, 404, 406, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(CurveOptions),
)
async def post_curve(
    request: Request,
    service: ServiceDependency,
    form: Annotated[CurveOptions, Depends(form_of(CurveOptions))],
) -> Response:
    """The smallest change that wins in each norm, and both probabilities against the budget: a plot, or JSON."""
    format = choose_format(request.headers.getlist("Accept"), form.format)
    model = service.registry.get(form.model)
    target = None if form.target is None else model.spec.names.find(form.target)
    picture = await decoded(form.image, service)
    task = curve(
        picture,
        model.spec,
        target=target,
        norms=form.norms,
        norm=form.norm,
        steps=form.steps,
        seed=form.seed,
        best_at_deadline=form.deadline_s is not None,
    )
    weight = picture.shape[1] * picture.shape[2]
    to_outcome = _to_outcome(model.name)
    return await present(
        request, service, task, model, to_outcome, format=format, deadline_s=form.deadline_s, weight=weight
    )


def _to_outcome(model: str) -> ToOutcome:
    def to_outcome(result: Curve, seconds: float) -> Outcome:
        figures: dict[str, Any] = {
            "model": model,
            "original": asdict(result.original),
            "target": None if result.target is None else {"label": result.target.label, "index": result.target.index},
            "smallest": {
                norm: {"success": each.success, "label": each.adversarial.label, "norms": dict(each.norms)}
                for norm, each in result.smallest.items()
            },
            "norm": result.norm,
            "points": [asdict(point) for point in result.points],
            "passes": asdict(result.passes),
            "stopped": result.stopped,
            "seconds": round(seconds, 3),
        }
        return Outcome(CurveResult, figures, plot(result), {"Model": model})

    return to_outcome


@router.post(
    "/targets",
    summary="Tell which classes a picture is nearest to",
    responses=problems(400, 404, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(TargetsOptions),
)
async def post_targets(
    request: Request,
    service: ServiceDependency,
    form: Annotated[TargetsOptions, Depends(form_of(TargetsOptions))],
) -> NearestClasses:
    """The classes with the shortest way to them, by DeepFool's distance at the model's own resolution: good targets."""
    model = service.registry.get(form.model)
    picture = await decoded(form.image, service)
    task = suggest_targets(picture, model.spec, top=form.top, candidates=max(form.candidates, form.top))
    found = await result_for(request, service.submit(task, model, weight=picture.shape[1] * picture.shape[2]))
    return NearestClasses.model_validate(
        {
            "model": model.name,
            "original": asdict(found.original),
            "nearest": [_near(each) for each in found.nearest],
            "passes": asdict(found.passes),
        }
    )


def _near(near: NearClass) -> dict[str, Any]:
    return asdict(near) | {"distance": near.distance if math.isfinite(near.distance) else None}
