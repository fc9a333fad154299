"""POST /classify: which classes the model sees in a picture."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.operations.classification import Job, begin, finish
from app.operations.requests import ClassifyOptions
from app.operations.responses import Classification
from app.web.openapi import picture_request, problems
from app.web.service import ServiceDependency
from app.web.uploads.uploads import form_of
from models.pictures import READ

router = APIRouter(tags=["pictures"])


@router.post(
    "/classify",
    summary="Classify a picture",
    description="Return the most probable classes of the picture, the most probable one first. The picture may have "
    f"any size; these formats are read: {READ}.",
    response_description="The most probable classes of the picture.",
    responses=problems(400, 404, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(ClassifyOptions),
)
async def post_classify(
    request: Request,
    service: ServiceDependency,
    form: Annotated[ClassifyOptions, Depends(form_of(ClassifyOptions))],
) -> Classification:
    """Decode the picture, run the network once and return the most probable classes."""
    job = Job(service, service.registry.get(form.model), form.top, time.monotonic())
    service.engine.check_room()  # an overloaded service does not spend time on decoding
    (result,) = await finish(request, job, begin(job, [form.image]))
    if isinstance(result, Exception):
        raise result
    return result
