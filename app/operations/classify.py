"""POST /classify: what is on the picture."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.operations.requests import ClassifyOptions
from app.operations.responses import Classification
from app.web.openapi import picture_request, problems
from app.web.schemas import Prediction
from app.web.service import ServiceDependency, result_for
from app.web.uploads.uploads import decoded, form_of
from models.classify import classify
from models.pictures import READ

router = APIRouter(tags=["pictures"])


@router.post(
    "/classify",
    summary="Classify a picture",
    description=f"The most probable classes of the picture, best first. The picture is {READ}, of any size.",
    responses=problems(400, 404, 413, 415, 422, 503, 504),
    openapi_extra=picture_request(ClassifyOptions),
)
async def post_classify(
    request: Request,
    service: ServiceDependency,
    form: Annotated[ClassifyOptions, Depends(form_of(ClassifyOptions))],
) -> Classification:
    """The most probable classes of the picture, best first."""
    chosen = service.registry.get(form.model)
    picture = await decoded(form.image, service)
    predictions = await result_for(request, service.submit(classify(picture, chosen.spec, top=form.top), chosen))
    height, width = picture.shape[1:]
    told = [Prediction.model_validate(each) for each in predictions]
    return Classification(model=chosen.name, width=width, height=height, predictions=told)
