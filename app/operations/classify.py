"""POST /classify: which classes the model sees in a picture."""

from typing import Annotated

from fastapi import APIRouter, Depends

from app.operations.classification import Job, begin, finish
from app.operations.requests import ClassifyOptions
from app.operations.responses import Classification
from app.web.openapi import picture_request, problems
from app.web.service import ServiceDependency
from app.web.ticket import QuickTicket
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
    service: ServiceDependency,
    form: Annotated[ClassifyOptions, Depends(form_of(ClassifyOptions))],
    ticket: QuickTicket,
) -> Classification:
    """Decode the picture, run the network once and return the most probable classes."""
    job = Job(ticket, service.model(form.model), form.top)
    (result,) = await finish(job, begin(job, [form.image]))
    if isinstance(result, Exception):
        raise result
    return result
