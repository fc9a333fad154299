"""The endpoint POST /adversarial/targets: suggests the classes that an attack reaches most easily."""

from typing import Annotated

from fastapi import APIRouter, Depends

from app.adversarial.curve_requests import TargetsOptions
from app.adversarial.curve_responses import NearestClasses
from app.memory.costs import EXPLAINED, of_pixels
from app.web.openapi import picture_request, problems
from app.web.service import ServiceDependency, result_for
from app.web.ticket import TicketDependency
from app.web.uploads.uploads import decode_upload, form_of
from models.attacks.targets import check_targets, suggest_targets

router = APIRouter(tags=["pictures"])


@router.post(
    "/adversarial/targets",
    summary="Suggest the classes that are easiest to reach from a picture",
    response_description="The classes that are easiest to reach, nearest first.",
    responses=problems(400, 404, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(TargetsOptions),
)
async def post_targets(
    service: ServiceDependency,
    form: Annotated[TargetsOptions, Depends(form_of(TargetsOptions))],
    ticket: TicketDependency,
) -> NearestClasses:
    """Find the classes that need the smallest perturbation, as DeepFool measures it at the model's input size."""
    model = service.model(form.model)
    check_targets(model.spec)  # refuses before the picture is decoded
    picture = await decode_upload(form.image, ticket, of_pixels(EXPLAINED))
    task = suggest_targets(picture, model.spec, top=form.top, candidates=max(form.candidates, form.top))
    future = ticket.submit(task, model)
    return NearestClasses.of(await result_for(ticket.request, future, ticket.until), model=model)
