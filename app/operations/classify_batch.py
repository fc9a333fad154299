"""POST /classify/batch: which classes the model sees in each of several pictures."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.operations.classification import Begun, Job, begin, finish
from app.operations.requests import BatchOptions
from app.operations.responses import Classification, ClassifiedBatch, FailedPicture
from app.web.fields import MOST_PICTURES
from app.web.openapi import picture_request, problems
from app.web.problems import problem
from app.web.service import ServiceDependency
from app.web.ticket import QuickTicket
from app.web.uploads.uploads import form_of
from models.pictures import READ, PictureError

router = APIRouter(tags=["pictures"])
AT_ONCE = 4
"""Number of pictures that are decoded and go to the engine together, while the engine has as many before them.

So a request holds one decoded picture, what the network sees of eight, and two tasks at most.
"""


@router.post(
    "/classify/batch",
    summary="Classify several pictures",
    description=f"Return the most probable classes of each of 1 to {MOST_PICTURES} pictures, in their order. A picture "
    "that cannot be classified has its problem details in its place, and the others are classified all the same. Each "
    f"picture may have any size; these formats are read: {READ}. The limit of the request's size is that of all "
    "operations.",
    response_description="The most probable classes of each picture, or the problem with it.",
    responses=problems(400, 404, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(BatchOptions),
)
async def post_classify_batch(
    request: Request,
    service: ServiceDependency,
    form: Annotated[BatchOptions, Depends(form_of(BatchOptions))],
    ticket: QuickTicket,
) -> ClassifiedBatch:
    """Decode the pictures a few at a time, run the network on each group and return the results in order."""
    ticket.keep_place()
    job = Job(ticket, service.model(form.model), form.top)
    files = [file for file in form.image if isinstance(file, bytes)]
    classified = iter(await _classified(job, files))
    results = [next(classified) if isinstance(item, bytes) else item for item in form.image]
    request_id = request.state.request_id
    return ClassifiedBatch(
        model=job.model.name,
        version=job.model.version,
        results=[
            item if isinstance(item, Classification) else FailedPicture(problem=problem(item, request_id))
            for item in results
        ],
    )


async def _classified(job: Job, files: Sequence[bytes]) -> list[Classification | PictureError]:
    """The result for each file, in order; the next ones are decoded while the engine works on those before."""
    groups = [files[start : start + AT_ONCE] for start in range(0, len(files), AT_ONCE)]
    begun: list[Begun] = []
    results: list[Classification | PictureError] = []
    try:
        for number, group in enumerate(groups):
            # The first group alone is refused where the service is full: a refusal later would lose finished work.
            begun.append(begin(job, group, sequel=number > 0))
            await begun[-1].admitted()
            if len(begun) > 1:
                results += await finish(job, begun[0])
                del begun[0]  # and with it what the network saw of its pictures
        if begun:
            results += await finish(job, begun[-1])
    finally:
        for group_begun in begun:
            group_begun.cancel()
    return results
