"""GET /models: what is served, and where it comes from."""

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


@router.get("/models", summary="List the served models")
async def get_models(service: ServiceDependency) -> ModelList:
    """Every served model with its state; `default` answers where a request names none."""
    registry = service.registry
    summaries = [_summary(registry, name) for name in registry.names]
    return ModelList(default=registry.names[0], device=str(registry.device), models=summaries)


# `:path`, because `imagenet/<architecture>` is a name
@router.get("/models/{name:path}", summary="Tell all about one model", responses=problems(404, 503))
async def get_model(service: ServiceDependency, name: Annotated[str, Path(min_length=1)]) -> ModelDetail:
    """Class names, preprocessing, figures and provenance, as the model's file records them, and its layers."""
    model = service.registry.get(name)
    preprocessing = asdict(model.spec)
    for told_elsewhere in ("architecture", "classes"):
        del preprocessing[told_elsewhere]
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
