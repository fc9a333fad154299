"""The endpoint POST /adversarial: changes a picture so little that it looks the same, and the model is wrong."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.adversarial.allowed_pixels import allowed_pixels
from app.adversarial.file_encoding import check_webp_size, jpeg_quality
from app.adversarial.memory import attack_cost
from app.adversarial.requests import AdversarialOptions
from app.adversarial.responses import AdversarialResult, TransferVerdict
from app.adversarial.transfer import ask_other_models
from app.web.formats import Format, choose_format
from app.web.openapi import picture_request, picture_responses, problems
from app.web.outcomes import Outcome
from app.web.presentation import present
from app.web.service import ServiceDependency
from app.web.ticket import TicketDependency
from app.web.uploads.uploads import decode_upload, form_of
from models.attacks.options import attack_options, choose_attack
from models.attacks.survive import parse_survive
from models.attacks.task import Adversarial, adversarial
from models.store import Model

router = APIRouter(tags=["pictures"])


@router.post(
    "/adversarial",
    summary="Fool the model about a picture",
    response_class=Response,
    responses=picture_responses(AdversarialResult) | problems(400, 404, 406, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(AdversarialOptions),
)
async def post_adversarial(
    request: Request,
    service: ServiceDependency,
    form: Annotated[AdversarialOptions, Depends(form_of(AdversarialOptions))],
    ticket: TicketDependency,
) -> Response:
    """Run an attack on the picture at its own resolution, and return the 8-bit picture that it finds.

    Every figure is of the returned file: `success` says what POST /classify answers for it. A PNG or WebP file contains
    the picture exactly. For a JPEG file the attack takes the encoding into account; the budget and the mask then hold
    for the picture before the encoding. With `confidence` or `survive`, `success` means that these are met as well.
    """
    format = choose_format(request.headers.getlist("Accept"), form.format)
    model = service.model(form.model)
    target = None if form.target is None else model.spec.names.find(form.target)
    options = form.chosen_options()
    attack = choose_attack(form.attack, options, differentiable=model.spec.differentiable)
    attack_options(attack, form.norm, options)  # refuses before the picture is decoded
    survive = parse_survive(form.survive or "png")
    quality = jpeg_quality(survive)
    jpeg = quality if format is Format.jpeg else None
    ticket.shorten(form.deadline_s)
    cost = partial(
        attack_cost, form.attack, options, survive, jpeg=jpeg is not None, max_pixels=service.settings.max_pixels
    )
    picture = await decode_upload(form.image, ticket, cost)
    if format is Format.webp:
        check_webp_size(picture)
    task = adversarial(
        picture,
        model.spec,
        target=target,
        attack=form.attack,
        norm=form.norm,
        confidence=form.confidence,
        mask=await allowed_pixels(form, picture, ticket),
        survive=survive,
        jpeg=jpeg,
        best_at_deadline=form.deadline_s is not None,
        rows=service.query_rows(model),
        **options,
    )

    async def with_transfer(result: Adversarial) -> tuple[Adversarial, list[TransferVerdict]]:
        return result, await ask_other_models(service, result, model.name)

    return await present(
        ticket,
        task,
        model,
        partial(_to_outcome, model=model, quality=quality),
        format=format,
        previews=form.previews,
        best_at_deadline=form.deadline_s is not None,
        follow_up=with_transfer,
    )


def _to_outcome(
    followed: tuple[Adversarial, list[TransferVerdict]], seconds: float, *, model: Model, quality: int
) -> Outcome:
    result, transfer = followed
    headers = {
        "Model": model.name,
        "Version": model.version,
        "Label": result.adversarial.label,
        "Probability": f"{result.adversarial.probability:.4f}",
        "Success": str(result.success).lower(),
        "Original-Label": result.original.label,
        "Linf": f"{result.norms['linf']:.5f}",
        "L2": f"{result.norms['l2']:.4f}",
    }
    body = AdversarialResult.of(result, model=model, transfer=transfer, seconds=seconds)
    return Outcome(body, body.image, headers, quality)
