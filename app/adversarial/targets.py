"""The endpoint POST /adversarial/targets: suggests the classes that an attack reaches most easily."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.adversarial.curve_requests import TargetsOptions
from app.adversarial.curve_responses import NearestClasses
from app.web.openapi import picture_request, problems
from app.web.service import ServiceDependency, result_for
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
    request: Request,
    service: ServiceDependency,
    form: Annotated[TargetsOptions, Depends(form_of(TargetsOptions))],
) -> NearestClasses:
    """Find the classes that need the smallest perturbation, as DeepFool measures it at the model's input size."""
    model = service.registry.get(form.model)
    check_targets(model.spec)  # refuses before the picture is decoded
    picture = await decode_upload(form.image, service)
    task = suggest_targets(picture, model.spec, top=form.top, candidates=max(form.candidates, form.top))
    future = service.submit(task, model, weight=picture.shape[1] * picture.shape[2])
    return NearestClasses.of(await result_for(request, future), model=model.name)
