"""GET /models, GET /models/{name} and GET /models/{name}/card: the served models, and what is known about each."""

from dataclasses import fields
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.engine.catalogue import Entry
from app.operations.responses import ModelDetail, ModelList, ModelSummary
from app.web.attachments import attachment
from app.web.openapi import problems
from app.web.schemas import LayerDetail
from app.web.service import ServiceDependency
from models.figures import balanced_accuracy
from models.store import Model

router = APIRouter(tags=["models"])
ServedName = Annotated[str, Path(min_length=1, description="Name of a served model, as GET /models lists it.")]
CARD_TYPE = "text/markdown"
"""Media type of a model card (RFC 7763)."""
NOT_PREPROCESSING = ("architecture", "classes", "configuration")
"""Fields of a spec that `preprocessing` leaves out: two have fields of their own, and the graph of an exported program
may have megabytes."""


@router.get("/models", summary="List the served models", response_description="All served models.")
async def get_models(service: ServiceDependency) -> ModelList:
    """Return every served model with its state, and the default model, which requests use if they name none."""
    registry = service.registry
    summaries = [_summary(entry) for entry in registry.entries()]
    return ModelList(default=registry.default, device=str(registry.device), models=summaries)


# `:path`, because a name may contain a slash: `imagenet/<architecture>`. Of two paths that match, the first counts.
@router.get(
    "/models/{name:path}/card",
    summary="Download the card of one model",
    response_class=Response,
    responses={
        200: {
            "description": "The model card, in Markdown.",
            "headers": {
                "Content-Disposition": {
                    "description": "The file name under which a browser saves the card.",
                    "required": True,
                    "schema": {"type": "string"},
                }
            },
            "content": {CARD_TYPE: {"schema": {"type": "string"}, "example": "# cats-dogs\n\n..."}},
        },
        **problems(404, 422, 503),
    },
)
async def get_model_card(service: ServiceDependency, name: ServedName) -> Response:
    """Return the model card that the training module wrote beside the checkpoint: data, training and metrics.

    A model without a card gets a problem with the status 404; GET /models/{name} says in `card` whether there is one.
    """
    card = await run_in_threadpool(service.registry.read_card, name)
    headers = {"Content-Disposition": attachment(f"{name}.md")}
    return Response(card, headers=headers, media_type=f"{CARD_TYPE}; charset=utf-8")


@router.get(
    "/models/{name:path}",
    summary="Describe one model",
    response_description="All that is known about the model.",
    responses=problems(404, 422, 503),
)
async def get_model(service: ServiceDependency, name: ServedName) -> ModelDetail:
    """Return class names, layers, preprocessing, metrics and provenance of a model, as its checkpoint records them."""
    problem = service.registry.entry(name).problem
    model = service.model(name)
    names = [field.name for field in fields(model.spec) if field.name not in NOT_PREPROCESSING]
    provenance = dict(model.provenance)
    return ModelDetail(
        **_ready(model, problem).model_dump(),
        class_names=list(model.spec.classes),
        synonyms=[list(names) for names in model.spec.names.synonyms],
        layers=[LayerDetail.model_validate(layer, from_attributes=True) for layer in model.classifier.layers],
        preprocessing={name: getattr(model.spec, name) for name in names},
        metrics=provenance.pop("metrics", {}),
        provenance=provenance,
        card=await run_in_threadpool(service.registry.has_card, model.name),
    )


def _summary(entry: Entry) -> ModelSummary:
    if entry.model is None:
        return ModelSummary(name=entry.name, state=entry.state, problem=entry.problem)
    return _ready(entry.model, entry.problem)


def _ready(model: Model, problem: str | None) -> ModelSummary:
    spec, metrics = model.spec, model.provenance.get("metrics", {})
    return ModelSummary(
        name=model.name,
        state="ready",
        problem=problem,
        version=model.version,
        architecture=spec.architecture,
        classes=len(spec.classes),
        input_size=spec.input_size if isinstance(spec.input_size, int) else list(spec.input_size),
        accuracy=metrics.get("accuracy"),
        balanced_accuracy=balanced_accuracy(metrics),
    )
