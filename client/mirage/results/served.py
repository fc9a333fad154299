"""The served models, and the state of the service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mirage.results.shared import LayerDetail


@dataclass(frozen=True)
class ModelSummary:
    """One served model. What its checkpoint records is None until the model is loaded."""

    name: str
    """Name of the model, which requests give in the option `model`."""
    state: Literal["loading", "ready", "unloaded", "failed"]
    """`loading` until the model is loaded, then `ready`; `failed` if it could not be loaded or cannot be used;
    `unloaded` if it was not used for long and others need its memory: the next request for it loads it."""
    problem: str | None
    """Why the model could not be loaded, or why a newer file of a model that is ready was refused; None if all is
    well."""
    version: str | None
    """Version of the model: the first 12 hexadecimal digits of the SHA-256 of its weights and its description. It
    changes when the service has loaded a file with others; `Mirage.models` shows which version answers now. None while
    the model is not loaded."""
    architecture: str | None
    """Name of the network's architecture: that of torchvision, timm/NAME, transformers/TYPE, `exported` for a
    program, or the name that its user registered."""
    classes: int | None
    """Number of classes that the model distinguishes."""
    input_size: int | tuple[int, ...] | None
    """Side in pixels of the square pictures that go through the network; where they are not square, their height and
    width."""
    accuracy: float | None
    """Share of its test photos that the model classified correctly, from 0 to 1; None if the checkpoint does not
    record it."""
    balanced_accuracy: float | None
    """Mean over the classes of the share of test photos that was classified correctly, from 0 to 1, so that rare
    classes count as much as frequent ones; None if the checkpoint does not record it."""


@dataclass(frozen=True)
class ModelList:
    """The served models, and which of them is the default."""

    default: str
    """Name of the model that requests use if they name none."""
    device: str
    """Device that runs the networks, for example `cpu` or `cuda`."""
    models: tuple[ModelSummary, ...]
    """The served models, the default one first."""


@dataclass(frozen=True)
class ModelDetail(ModelSummary):
    """One served model with its classes, layers and origin."""

    class_names: tuple[str, ...]
    """Names of the classes, in the order of their indices."""
    synonyms: tuple[tuple[str, ...], ...]
    """For each class, in the order of `class_names`, the other names by which requests may name it; empty if the
    model's classes are not those of ImageNet."""
    layers: tuple[LayerDetail, ...]
    """Layers that `features`, `ideal` and `explain` can show, from input to output."""
    preprocessing: Mapping[str, Any]
    """How a picture becomes the input of the network: `resize` and `input_size` in pixels (one number for a square,
    or height and width), `resize_mode` (crop, squash, or pad with the colour `padding`), `interpolation`,
    `antialias`, the channels in `colours` (None: RGB, or grey for a single mean), and `mean` and `std` for pixel
    values from 0 to 1. Then what its `outputs` are (logits or probabilities), whether the first one is a `background`
    class that is left out, or whether the network is `binary`, with one output for the second of its two classes, and
    the `temperature` that calibrates the probabilities. With `multi_label` each class is a label of its own, and the
    probabilities do not add up to 1. A model that is not `differentiable` gives no gradients: it can classify, show
    feature maps, and be attacked by `square`."""
    metrics: Mapping[str, Any]
    """Metrics on the test split, as the training module computed them."""
    provenance: Mapping[str, Any]
    """Where the model comes from: training recipe, data, versions of the libraries, pretrained weights and date. An
    imported model has a `source`: its `kind` (torchvision, timm, huggingface, exported for a program of torch.export,
    or registered for a network of its user's own), its `file` or `name`, `sha256` and `licence`; `warnings` lists
    what could not be known about it, and `agreement` how closely its preprocessing agrees with that of the library it
    comes from."""
    card: bool
    """Whether there is a model card, which `Mirage.model_card` returns: the training module writes one beside
    each checkpoint, also beside that of an imported model."""


@dataclass(frozen=True)
class Health:
    """The response of the health probes."""

    status: Literal["live", "ready", "loading", "failed", "draining"]
    """`live`: the process responds. `ready`: requests are served. `loading`: models are being loaded. `failed`: the
    default model could not be loaded. `draining`: the service is about to stop; requests are still served, but should
    be sent to another instance."""
