"""The responses of /classify, /models and /health."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.web.schemas import LayerDetail, Prediction

SUMMARY: dict[str, Any] = {
    "name": "cats-dogs",
    "state": "ready",
    "problem": None,
    "architecture": "mobilenet_v2",
    "classes": 2,
    "input_size": 224,
    "accuracy": 0.987,
    "balanced_accuracy": 0.986,
}


DETAIL: dict[str, Any] = SUMMARY | {
    "class_names": ["cat", "dog"],
    "layers": [
        {"name": "features.17", "kind": "InvertedResidual", "channels": 320, "height": 7, "width": 7, "decides": True}
    ],
    "preprocessing": {"input_size": 224, "resize": 232, "interpolation": "bilinear", "temperature": 0.4},
    "metrics": {"accuracy": 0.987, "photos": 2399},
    "provenance": {"created": "2026-11-20"},
}


CLASSIFICATION: dict[str, Any] = {
    "model": "cats-dogs",
    "width": 500,
    "height": 375,
    "predictions": [
        {"label": "dog", "index": 1, "probability": 0.998},
        {"label": "cat", "index": 0, "probability": 0.002},
    ],
}


class Classification(BaseModel):
    """The answer of POST /classify."""

    model_config = ConfigDict(json_schema_extra={"examples": [CLASSIFICATION]})
    model: str
    width: int
    height: int
    predictions: list[Prediction]


class ModelSummary(BaseModel):
    """One served model in GET /models; what lies in its file is known once it is ready."""

    model_config = ConfigDict(json_schema_extra={"examples": [SUMMARY]})
    name: str
    state: Literal["loading", "ready", "failed"]
    problem: str | None = None
    architecture: str | None = None
    classes: int | None = None
    input_size: int | None = None
    accuracy: float | None = Field(default=None, description="on its own test photos, where its file says so")
    balanced_accuracy: float | None = Field(
        default=None, description="mean of its classes' own accuracies on these photos: a rare class counts as much"
    )


class ModelList(BaseModel):
    """The answer of GET /models."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"default": "cats-dogs", "device": "cpu", "models": [SUMMARY]}]}
    )
    default: str
    device: str
    models: list[ModelSummary]


class ModelDetail(ModelSummary):
    """The answer of GET /models/{name}."""

    model_config = ConfigDict(json_schema_extra={"examples": [DETAIL]})
    class_names: list[str] = []
    layers: list[LayerDetail] = []
    preprocessing: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    provenance: dict[str, Any] = {}


class Health(BaseModel):
    """The answer of the probes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ready"}]})
    status: Literal["live", "ready", "loading", "failed"]
