"""POST /classify: which classes the model sees in a picture."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.operations.requests import ClassifyOptions
from app.operations.responses import Classification
from app.web.openapi import picture_request, problems
from app.web.schemas import Prediction
from app.web.service import ServiceDependency, result_for
from app.web.uploads.uploads import decode_upload, form_of
from models.classify import classify
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
    model = service.registry.get(form.model)
    picture = await decode_upload(form.image, service)
    predictions = await result_for(request, service.submit(classify(picture, model.spec, top=form.top), model))
    height, width = picture.shape[1:]
    return Classification(
        model=model.name,
        width=width,
        height=height,
        predictions=[Prediction.model_validate(prediction) for prediction in predictions],
    )
