"""POST /classify: what is on the picture."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.openapi import problems
from app.schemas import Classification, ClassifyOptions, Prediction
from app.service import ServiceDependency, result_for
from app.uploads import picture_of_request
from models.classify import classify

router = APIRouter(tags=["pictures"])

PICTURE = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {"image": {"type": "string", "format": "binary", "description": "the picture"}},
            }
        },
        "image/png": PICTURE,
        "image/jpeg": PICTURE,
        "image/webp": PICTURE,
    },
}


@router.post(
    "/classify",
    summary="Classify a picture",
    responses=problems(404, 413, 415, 422, 503, 504),
    openapi_extra={"requestBody": BODY},
)
async def post_classify(
    request: Request,
    service: ServiceDependency,
    options: Annotated[ClassifyOptions, Query()],
) -> Classification:
    """The most probable classes of the picture, best first. PNG, JPEG, WebP, GIF, BMP or TIFF of any size."""
    chosen = service.registry.get(options.model)
    picture = await picture_of_request(request, service)
    predictions = await result_for(request, service.submit(classify(picture, chosen.spec, top=options.top), chosen))
    height, width = picture.shape[1:]
    told = [Prediction.model_validate(each) for each in predictions]
    return Classification(model=chosen.name, width=width, height=height, predictions=told)
