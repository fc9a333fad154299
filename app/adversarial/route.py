"""POST /adversarial: the picture changed so little that a person sees the same, and the model something else."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from torch import Tensor

from app.adversarial.requests import OPTION_NAMES, AdversarialOptions
from app.adversarial.responses import AdversarialResult
from app.web.formats import Format, choose_format
from app.web.openapi import picture_request, picture_responses, problems
from app.web.second_opinions import transfer
from app.web.service import Service, ServiceDependency
from app.web.streaming import Outcome, ToOutcome, data_url, present
from app.web.uploads.uploads import decoded, form_of
from models.attacks.masks import BadMask, mask_of_box, mask_of_picture
from models.attacks.options import ATTACKS, attack_options, choose_attack
from models.attacks.perception import heat_map, perception
from models.attacks.survive import Survival, parse_survive
from models.attacks.task import Adversarial, adversarial
from models.pictures import JPEG_QUALITY, WEBP_SIDE, PictureTooLarge

router = APIRouter(tags=["pictures"])

MOST_AT_ONCE = 4
"""Times MIRAGE_MAX_PIXELS that one attack may hold, in the views of a picture and the samples of a patch."""

EXAMPLE = {
    "model": "cats-dogs",
    "attack": "auto",
    "norm": "l2",
    "success": True,
    "original": {"label": "dog", "index": 1, "probability": 0.998},
    "adversarial": {"label": "cat", "index": 0, "probability": 0.51},
    "target": {"label": "cat", "index": 0},
    "probabilities": {"original": {"before": 0.998, "after": 0.49}, "target": {"before": 0.002, "after": 0.51}},
    "norms": {"linf": 0.0118, "l2": 0.42, "l1": 44.0, "l0": 8700},
    "perception": {"ssim": 0.9996, "ciede2000_mean": 0.02, "ciede2000_p95": 0.2, "mean_levels": 0.02},
    "transfer": [
        {
            "model": "other",
            "original": {"label": "dog", "index": 1, "probability": 0.99},
            "adversarial": {"label": "dog", "index": 1, "probability": 0.98},
            "fooled": False,
        }
    ],
    "patch": None,
    "image": "data:image/png;base64,...",
    "perturbation": "data:image/png;base64,...",
    "heat_map": "data:image/png;base64,...",
    "options": {"norm": "l2", "steps": 100, "seed": 0, "confidence": 0.0},
    "survive": ["png"],
    "passes": {"forward": 262, "backward": 215},
    "stopped": False,
    "seconds": 8.1,
}


@router.post(
    "/adversarial",
    summary="Fool the model about a picture",
    response_class=Response,
    responses=picture_responses(AdversarialResult, EXAMPLE) | problems(400, 404, 406, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(AdversarialOptions),
)
async def post_adversarial(
    request: Request,
    service: ServiceDependency,
    form: Annotated[AdversarialOptions, Depends(form_of(AdversarialOptions))],
) -> Response:
    """An attack at the picture's own resolution, on the 8-bit values that a file holds.

    Every figure is of the returned file, and `success` what POST /classify says of it: a PNG or WebP is exact, and
    where a JPEG is asked for the attack is made to outlive its encoding (budget and mask are kept before that). With
    `confidence` or `survive`, success is all that was asked for, and more than another verdict.
    """
    format = choose_format(request.headers.getlist("Accept"), form.format)
    model = service.registry.get(form.model)
    target = None if form.target is None else model.spec.names.find(form.target)
    given = {key: value for key, value in form.model_dump(include=set(OPTION_NAMES)).items() if value is not None}
    attack_options(choose_attack(form.attack, given), form.norm, given)  # judged before the picture is decoded
    survive = parse_survive(form.survive or "png")
    quality = _jpeg_quality(survive)
    jpeg = quality if format is Format.jpeg else None
    picture = await decoded(form.image, service)
    if format is Format.webp and max(picture.shape) > WEBP_SIDE:
        raise PictureTooLarge(f"a WebP has {WEBP_SIDE:,} pixels a side at most: ask for image/png")
    task = adversarial(
        picture,
        model.spec,
        target=target,
        attack=form.attack,
        norm=form.norm,
        confidence=form.confidence,
        mask=await _mask(form, picture, service),
        survive=survive,
        jpeg=jpeg,
        best_at_deadline=form.deadline_s is not None,
        **given,
    )
    return await present(
        request,
        service,
        task,
        model,
        _to_outcome(service, model.name, quality),
        format=format,
        previews=form.previews,
        deadline_s=form.deadline_s,
        weight=_weight(picture, survive, jpeg, form, service),
    )


def _weight(
    picture: Tensor, survive: tuple[Survival, ...], jpeg: int | None, form: AdversarialOptions, service: Service
) -> int:
    """How many pixels the attack holds at once: each sample of a patch, in each view of its own size."""
    pictures = 1 + (jpeg is not None) + sum(each.weight for each in survive)
    if form.attack == "patch":
        pictures *= getattr(form, "samples", None) or ATTACKS["patch"].defaults["samples"]
    weight = round(picture.shape[1] * picture.shape[2] * pictures)
    if weight > MOST_AT_ONCE * service.settings.max_pixels:
        raise PictureTooLarge(
            f"the attack would hold {weight:,} pixels at once: send a smaller picture, or one that is to survive less"
        )
    return weight


async def _mask(form: AdversarialOptions, picture: Tensor, service: Service) -> Tensor | None:
    """Where both the uploaded mask and the box allow a change; None where neither was given."""
    height, width = picture.shape[1:]
    mask = None
    if form.mask is not None:
        upload = await decoded(form.mask, service, name="mask")
        mask = await run_in_threadpool(mask_of_picture, upload, height, width)
    if form.box is not None:
        inside = mask_of_box(form.box, height, width).to(picture.device)
        mask = inside if mask is None else mask & inside
        if not mask.any():
            raise BadMask("box: nothing of the mask's light lies in it, so nothing may change: move one of them")
    return mask


def _to_outcome(service: Service, model: str, quality: int) -> ToOutcome:
    def to_outcome(result: Adversarial, seconds: float) -> Outcome:
        figures: dict[str, Any] = {
            **told(result, model),
            "perception": asdict(perception(result.picture, result.origin)),
            "transfer": [
                {**each, "original": asdict(each["original"]), "adversarial": asdict(each["adversarial"])}
                for each in transfer(result, service, model)
            ],
            "seconds": round(seconds, 3),
        }
        others = {
            "perturbation": lambda: result.perturbation,
            "heat_map": lambda: heat_map(result.picture, result.origin),
        }
        headers = _headers(model, result)
        return Outcome(AdversarialResult, figures, result.to_encode, headers, others, quality)

    return to_outcome


def told(result: Adversarial, model: str) -> dict[str, Any]:
    """What the attack itself knows of its result, as plain JSON."""
    target, before = result.target, result.target_before
    moved = None if target is None or before is None else _change(before.probability, target.probability)
    return {
        "model": model,
        "attack": result.attack,
        "norm": result.norm,
        "success": result.success,
        "original": asdict(result.original),
        "adversarial": asdict(result.adversarial),
        "target": None if target is None else {"label": target.label, "index": target.index},
        "probabilities": {
            "original": _change(result.original.probability, result.original_after.probability),
            "target": moved,
        },
        "norms": dict(result.norms),
        "options": dict(result.options),
        "survive": list(result.survive),
        "patch": _patch(result),
        "passes": asdict(result.passes),
        "stopped": result.stopped,
    }


def _change(before: float, after: float) -> dict[str, float]:
    return {"before": before, "after": after}


def _patch(result: Adversarial) -> dict[str, Any] | None:
    if result.patch is None:
        return None
    return {"image": data_url(result.patch.square), "success_rate": result.patch.success_rate}


def _jpeg_quality(survive: tuple[Survival, ...]) -> int:
    """Of a JPEG that is returned: the first that is to be outlived."""
    names = (each.name for each in survive)
    return next((int(name.removeprefix("jpeg:")) for name in names if name.startswith("jpeg:")), JPEG_QUALITY)


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
