"""POST /adversarial: the picture changed so little that a person sees the same, and the model something else."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from app.formats import choose_format
from app.openapi import picture_or_figures, problems
from app.schemas import AdversarialOptions, AdversarialResult, ModelChoice
from app.service import ServiceDependency
from app.streaming import Outcome, ToOutcome, present
from app.uploads import picture_of_upload
from models.attacks.options import attack_options
from models.attacks.report import Adversarial, adversarial

router = APIRouter(tags=["pictures"])

EXAMPLE = {
    "model": "cats-dogs",
    "attack": "pgd",
    "success": True,
    "original": {"label": "dog", "index": 1, "probability": 0.998},
    "adversarial": {"label": "cat", "index": 0, "probability": 0.999},
    "target": {"label": "cat", "index": 0},
    "norms": {"linf": 0.0314, "l2": 3.2, "l1": 812.0, "l0": 140233},
    "image": "data:image/png;base64,...",
    "perturbation": "data:image/png;base64,...",
    "options": {"epsilon": 0.0314, "steps": 40, "seed": 0, "norm": "linf"},
    "passes": {"forward": 42, "backward": 40},
    "stopped": False,
    "seconds": 1.2,
}


@router.post(
    "/adversarial",
    summary="Fool the model about a picture",
    response_class=Response,
    responses=picture_or_figures(AdversarialResult, EXAMPLE) | problems(404, 406, 413, 415, 422, 503, 504),
)
async def post_adversarial(
    request: Request,
    service: ServiceDependency,
    form: Annotated[AdversarialOptions, Form(media_type="multipart/form-data")],
    choice: Annotated[ModelChoice, Query()],
) -> Response:
    """An attack at the picture's own resolution, on the 8-bit values that a file holds.

    `success` is what POST /classify says of the returned PNG (or WebP; JPEG is lossy and may undo it).
    """
    format = choose_format(request.headers.getlist("Accept"), form.format)
    model = service.registry.get(form.model or choice.model)
    target = None if form.target is None else model.spec.names.find(form.target)
    given = {
        key: value for key, value in form.model_dump(include={"epsilon", "steps", "seed"}).items() if value is not None
    }
    attack_options(form.attack, None, given)  # judged before the picture is decoded
    picture = await picture_of_upload(form.image, service)
    task = adversarial(
        picture, model.spec, target=target, attack=form.attack, best_at_deadline=form.deadline_s is not None, **given
    )
    return await present(
        request,
        service,
        task,
        model,
        _to_outcome(model.name),
        format=format,
        previews=form.previews,
        deadline_s=form.deadline_s,
        weight=picture.shape[1] * picture.shape[2],
    )


def _to_outcome(model: str) -> ToOutcome:
    def to_outcome(result: Adversarial, seconds: float) -> Outcome:
        target = result.target
        figures = {
            "model": model,
            "attack": result.attack,
            "success": result.success,
            "original": asdict(result.original),
            "adversarial": asdict(result.adversarial),
            "target": None if target is None else {"label": target.label, "index": target.index},
            "norms": dict(result.norms),
            "options": dict(result.options),
            "passes": asdict(result.passes),
            "stopped": result.stopped,
            "seconds": round(seconds, 3),
        }
        pictures = {"image": result.picture, "perturbation": result.perturbation}
        return Outcome(AdversarialResult, figures, pictures, _headers(model, result))

    return to_outcome


def _headers(model: str, result: Adversarial) -> dict[str, str]:
    return {
        "Model": model,
        "Label": result.adversarial.label,
        "Probability": f"{result.adversarial.probability:.4f}",
        "Success": str(result.success).lower(),
        "Original-Label": result.original.label,
        "Linf": f"{result.norms['linf']:.5f}",
        "L2": f"{result.norms['l2']:.4f}",
    }
