"""The responses of /classify, /classify/batch, /models and /health."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.web.schemas import VERSION, LayerDetail, Prediction, Problem

CheckpointJson = dict[str, Any]
"""JSON from a checkpoint. The training module that wrote it, perhaps an older version, chose its keys."""


class Classification(BaseModel):
    """The response of POST /classify."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "cats-dogs",
                    "version": "5f2b9c01d3e4",
                    "width": 500,
                    "height": 375,
                    "predictions": [
                        {"label": "dog", "index": 1, "probability": 0.998},
                        {"label": "cat", "index": 0, "probability": 0.002},
                    ],
                }
            ]
        }
    )
    model: str = Field(description="Name of the model that classified the picture.")
    version: str = Field(description=VERSION)
    width: int = Field(description="Width of the uploaded picture in pixels, as it is displayed.")
    height: int = Field(description="Height of the uploaded picture in pixels, as it is displayed.")
    predictions: list[Prediction] = Field(
        description="The most probable classes, the most probable one first: as many as the option `top` says, or all "
        "classes of the model if it has fewer."
    )


class FailedPicture(BaseModel):
    """A picture of a batch that could not be classified."""

    problem: Problem = Field(description="The problem details that POST /classify gives for this picture.")


class ClassifiedBatch(BaseModel):
    """The response of POST /classify/batch."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "cats-dogs",
                    "version": "5f2b9c01d3e4",
                    "results": [
                        {
                            "model": "cats-dogs",
                            "version": "5f2b9c01d3e4",
                            "width": 500,
                            "height": 375,
                            "predictions": [{"label": "dog", "index": 1, "probability": 0.998}],
                        },
                        {
                            "problem": {
                                "type": "urn:mirage:problem:broken-picture",
                                "title": "Unprocessable Content",
                                "status": 422,
                                "detail": "image: the JPEG picture cannot be decoded (image file is truncated): send "
                                "it whole",
                                "request_id": "0c1f7b6a4e0d4f0f9f3c1f0f8f6a2b1d",
                            }
                        },
                    ],
                }
            ]
        }
    )
    model: str = Field(description="Name of the model that classified the pictures.")
    version: str = Field(description=VERSION)
    results: list[Classification | FailedPicture] = Field(
        description="For each picture, in the order of the request, its most probable classes, or the problem that it "
        "alone has."
    )


class ModelSummary(BaseModel):
    """One served model. What its checkpoint records is null until the model is loaded."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)
    name: str = Field(description="Name of the model, which requests give in the option `model`.")
    state: Literal["loading", "ready", "unloaded", "failed"] = Field(
        description="`loading` until the model is loaded, then `ready`; `failed` if it could not be loaded or cannot "
        "be used; `unloaded` if it was not used for long and others need its memory: the next request for it loads it."
    )
    problem: str | None = Field(
        default=None,
        description="Why the model could not be loaded, or why a newer file of a model that is ready was refused; null "
        "if all is well.",
    )
    version: str | None = Field(default=None, description=f"{VERSION} Null while the model is not loaded.")
    architecture: str | None = Field(
        default=None,
        description="Name of the network's architecture: that of torchvision, timm/NAME, transformers/TYPE, `exported` "
        "for a program, or the name that its user registered.",
    )
    classes: int | None = Field(default=None, description="Number of classes that the model distinguishes.")
    input_size: int | list[int] | None = Field(
        default=None,
        description="Side in pixels of the square pictures that go through the network; where they are not square, "
        "their height and width.",
    )
    accuracy: float | None = Field(
        default=None,
        description="Share of its test photos that the model classified correctly, from 0 to 1; null if the checkpoint "
        "does not record it.",
    )
    balanced_accuracy: float | None = Field(
        default=None,
        description="Mean over the classes of the share of test photos that was classified correctly, from 0 to 1, so "
        "that rare classes count as much as frequent ones; null if the checkpoint does not record it.",
    )


SUMMARY = ModelSummary(
    name="cats-dogs",
    state="ready",
    version="5f2b9c01d3e4",
    architecture="mobilenet_v2",
    classes=2,
    input_size=224,
    accuracy=0.987,
    balanced_accuracy=0.986,
)
"""The example in the documentation."""


class ModelList(BaseModel):
    """The response of GET /models."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"default": "cats-dogs", "device": "cpu", "models": [SUMMARY.model_dump(mode="json")]}]
        }
    )
    default: str = Field(description="Name of the model that requests use if they name none.")
    device: str = Field(description="Device that runs the networks, for example `cpu` or `cuda`.")
    models: list[ModelSummary] = Field(description="The served models, the default one first.")


class ModelDetail(ModelSummary):
    """The response of GET /models/{name}."""

    model_config = ConfigDict(
        json_schema_serialization_defaults_required=True,
        json_schema_extra={
            "examples": [
                {
                    **SUMMARY.model_dump(mode="json"),
                    "class_names": ["cat", "dog"],
                    "synonyms": [],
                    "layers": [
                        {
                            "name": "features.17",
                            "kind": "InvertedResidual",
                            "channels": 320,
                            "height": 7,
                            "width": 7,
                            "decides": True,
                        }
                    ],
                    "preprocessing": {
                        "input_size": 224,
                        "resize": 232,
                        "interpolation": "bilinear",
                        "temperature": 0.4,
                        "multi_label": False,
                        "differentiable": True,
                    },
                    "metrics": {"accuracy": 0.987, "photos": 2399},
                    "provenance": {"created": "2026-11-20"},
                    "card": True,
                }
            ]
        },
    )
    class_names: list[str] = Field(default=[], description="Names of the classes, in the order of their indices.")
    synonyms: list[list[str]] = Field(
        default=[],
        description="For each class, in the order of `class_names`, the other names by which requests may name it; "
        "empty if the model's classes are not those of ImageNet.",
    )
    layers: list[LayerDetail] = Field(
        default=[],
        description="Layers that POST /features, GET /ideal and POST /explain can show, from input to output.",
    )
    preprocessing: CheckpointJson = Field(
        default={},
        description="How a picture becomes the input of the network: `resize` and `input_size` in pixels (one number "
        "for a square, or height and width), `resize_mode` (crop, squash, or pad with the colour `padding`), "
        "`interpolation`, `antialias`, the channels in `colours` (null: RGB, or grey for a single mean), and `mean` "
        "and `std` for pixel values from 0 to 1. Then what its `outputs` are (logits or probabilities), whether the "
        "first one is a `background` class that is left out, or whether the network is `binary`, with one output for "
        "the second of its two classes, and the `temperature` that calibrates the probabilities. "
        "With `multi_label` each class is a label of its own, and the probabilities do not add up to 1. A model that "
        "is not `differentiable` gives no gradients: it can classify, show feature maps, and be attacked by `square`.",
    )
    metrics: CheckpointJson = Field(
        default={}, description="Metrics on the test split, as the training module computed them."
    )
    provenance: CheckpointJson = Field(
        default={},
        description="Where the model comes from: training recipe, data, versions of the libraries, pretrained weights "
        "and date. An imported model has a `source`: its `kind` (torchvision, timm, huggingface, exported for a "
        "program of torch.export, or registered for a network of its user's own), its `file` or `name`, `sha256` and "
        "`licence`; `warnings` lists what could not be known about it, and `agreement` how closely its preprocessing "
        "agrees with that of the library it comes from.",
    )
    card: bool = Field(
        default=False,
        description="Whether there is a model card, which GET /models/{name}/card returns: the training module writes "
        "one beside each checkpoint, also beside that of an imported model.",
    )


class Health(BaseModel):
    """The response of the health probes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ready"}]})
    status: Literal["live", "ready", "loading", "failed", "draining"] = Field(
        description="`live`: the process responds. `ready`: requests are served. `loading`: models are being loaded. "
        "`failed`: the default model could not be loaded. `draining`: the service is about to stop; requests are "
        "still served, but should be sent to another instance."
    )
