"""GET /models and GET /models/{name}: which models are served, and what is known about each of them."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path

from app.engine.registry import Registry
from app.operations.responses import ModelDetail, ModelList, ModelSummary
from app.web.openapi import problems
from app.web.schemas import LayerDetail
from app.web.service import ServiceDependency
from models.figures import balanced_accuracy

router = APIRouter(tags=["models"])


@router.get("/models", summary="List the served models", response_description="All served models.")
async def get_models(service: ServiceDependency) -> ModelList:
    """Return every served model with its state, and the default model, which requests use if they name none."""
    registry = service.registry
    summaries = [_summary(registry, name) for name in registry.names]
    return ModelList(default=registry.names[0], device=str(registry.device), models=summaries)


# `:path`, because a name may contain a slash: `imagenet/<architecture>`
@router.get(
    "/models/{name:path}",
    summary="Describe one model",
    response_description="All that is known about the model.",
    responses=problems(404, 422, 503),
)
async def get_model(
    service: ServiceDependency,
    name: Annotated[str, Path(min_length=1, description="Name of a served model, as GET /models lists it.")],
) -> ModelDetail:
    """Return class names, layers, preprocessing, metrics and provenance of a model, as its checkpoint records them."""
    model = service.registry.get(name)
    preprocessing = asdict(model.spec)
    for field in ("architecture", "classes"):  # ModelDetail has fields of its own for these
        del preprocessing[field]
    provenance = dict(model.provenance)
    return ModelDetail(
        **_summary(service.registry, model.name).model_dump(),
        class_names=list(model.spec.classes),
        layers=[LayerDetail.model_validate(layer, from_attributes=True) for layer in model.classifier.layers],
        preprocessing=preprocessing,
        metrics=provenance.pop("metrics", {}),
        provenance=provenance,
    )


def _summary(registry: Registry, name: str) -> ModelSummary:
    state = registry.state(name)
    if state != "ready":
        return ModelSummary(name=name, state=state, problem=registry.failure(name))
    model = registry.get(name)
    spec, metrics = model.spec, model.provenance.get("metrics", {})
    return ModelSummary(
        name=name,
        state=state,
        architecture=spec.architecture,
        classes=len(spec.classes),
        input_size=spec.input_size,
        accuracy=metrics.get("accuracy"),
        balanced_accuracy=balanced_accuracy(metrics),
    )
