"""GET /ideal/{class}: the picture that the model holds ideal for a class."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.formats import choose_format
from app.openapi import picture_or_figures, problems
from app.schemas import IdealOptions, IdealResult
from app.service import ServiceDependency
from app.streaming import Outcome, ToOutcome, present
from models.ideal.task import Ideal, ideal

router = APIRouter(tags=["pictures"])

EXAMPLE = {
    "model": "cats-dogs",
    "label": "cat",
    "index": 0,
    "image": "data:image/png;base64,...",
    "score": {"probability": 0.999, "rank": 1},
    "options": {"method": "fourier", "steps": 64, "crops": 4, "tv": 20.0, "seed": 0, "size": 224},
    "passes": {"forward": 257, "backward": 256},
    "seconds": 7.5,
}


@router.get(
    "/ideal/{class}",
    summary="Draw the ideal picture of a class",
    response_class=Response,
    responses=picture_or_figures(IdealResult, EXAMPLE) | problems(404, 406, 422, 503, 504),
)
async def get_ideal(
    request: Request,
    service: ServiceDependency,
    name: Annotated[str, Path(alias="class", max_length=200, description="a class of the model, by name or index")],
    options: Annotated[IdealOptions, Query()],
) -> Response:
    """Gradient ascent from noise to what the model likes most about the class.

    All that is random comes from the seed; requests that share the network meanwhile change how sums are rounded, and
    so the picture in its details. The score is the model's own verdict on the picture as it is returned.
    """
    format = choose_format(request.headers.getlist("Accept"), options.format)
    model = service.registry.get(options.model)
    index = model.spec.names.find(name)
    chosen = options.model_dump(include={"method", "steps", "crops", "tv", "seed", "size"})
    task = ideal(index, model.spec, device=service.registry.device, **chosen)
    return await present(
        request, service, task, model, _to_outcome(model.name), format=format, previews=options.previews
    )


def _to_outcome(model: str) -> ToOutcome:
    def to_outcome(result: Ideal, seconds: float) -> Outcome:
        prediction = result.prediction
        figures = {
            "model": model,
            "label": prediction.label,
            "index": prediction.index,
            "score": {"probability": prediction.probability, "rank": result.rank},
            "options": dict(result.options),
            "passes": asdict(result.passes),
            "seconds": round(seconds, 3),
        }
        headers = {"Model": model, "Label": prediction.label, "Probability": f"{prediction.probability:.4f}"}
        return Outcome(IdealResult, figures, result.picture, headers)

    return to_outcome
