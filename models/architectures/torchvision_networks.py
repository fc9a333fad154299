"""torchvision's classification networks, by the names that torchvision gives them.

torchvision itself is imported when something needs it: building the bundled checkpoints' network does not.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from models.architectures.errors import BadConfiguration, UnknownArchitecture
from models.architectures.heads import head, head_name
from models.architectures.weights import stem_name
from models.mobilenet import MobileNetV2
from models.spec import LARGEST, SMALLEST

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

TENSORFLOWS = ("googlenet", "inception_v3")
"""Networks whose published weights come from TensorFlow and expect (pixels - 0.5) / 0.5; they compute this from
pixels with ImageNet's normalisation."""


VISION_TRANSFORMERS = "vit_"
"""Beginning of the names of networks with a position for each patch, so that they take pictures of one size alone."""
USUAL_SIZE = 224
"""Side in pixels of the pictures of torchvision's vision transformers, if nothing else is said."""


def of_size(architecture: str, side: int) -> dict[str, int]:
    """The configuration with which the network takes pictures of this side in pixels; empty for most networks."""
    is_other = architecture.startswith(VISION_TRANSFORMERS) and side != USUAL_SIZE
    return {"image_size": side} if is_other else {}


def architectures() -> list[str]:
    """The names of torchvision's classification networks."""
    import torchvision.models

    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def weight_choices(architecture: str) -> "list[WeightsEnum]":
    """torchvision's published weights of an architecture, those that it recommends first.

    Weights without classes are left out: VGG16's IMAGENET1K_FEATURES, whose head is NaN. Raises UnknownArchitecture.
    """
    _check_name(architecture)
    from torchvision.models import get_model_weights

    choices = get_model_weights(architecture)
    default: WeightsEnum | None = getattr(choices, "DEFAULT", None)
    with_classes = [weights for weights in choices if weights.meta["categories"]]
    return sorted(with_classes, key=lambda weights: weights is not default)


def build(architecture: str, classes: int, *, channels: int, configuration: Mapping[str, Any]) -> nn.Module:
    """A network of torchvision with freshly initialised weights, as `models.architectures.build` describes it.

    The configuration may have `published` (the head is as torchvision has it), `transform_input` (for TENSORFLOWS:
    whether the network itself converts from ImageNet's normalisation, by default for three channels), and `image_size`
    (for vision transformers). Raises UnknownArchitecture, BadConfiguration.
    """
    _check(architecture, configuration)
    if architecture == "mobilenet_v2":
        network: nn.Module = MobileNetV2(classes)
    else:
        network = _torchvisions(architecture, classes, channels, configuration)
    if not configuration.get("published", False):
        _make_head_linear(network)
    if channels != 3:
        _read_channels(network, channels)
    return network


def _torchvisions(architecture: str, classes: int, channels: int, configuration: Mapping[str, Any]) -> nn.Module:
    from torchvision.models import get_model

    extra: dict[str, object] = {}
    if architecture in TENSORFLOWS:
        # Only training from scratch uses their auxiliary heads, their own initialisation takes a minute, and their
        # published weights expect the input scaled as `transform_input` does it.
        scaled = configuration.get("transform_input", channels == 3)
        extra = {"aux_logits": False, "init_weights": False, "transform_input": scaled}
    if "image_size" in configuration:
        extra["image_size"] = configuration["image_size"]
    network: nn.Module = get_model(architecture, weights=None, num_classes=classes, **extra)
    return network


def _check(architecture: str, configuration: Mapping[str, Any]) -> None:
    if architecture != "mobilenet_v2":
        _check_name(architecture)
    allowed: dict[str, type] = {"published": bool}
    if architecture in TENSORFLOWS:
        allowed |= {"transform_input": bool}
    if architecture.startswith(VISION_TRANSFORMERS):
        allowed |= {"image_size": int}
    for name, value in configuration.items():
        is_size = name != "image_size" or (type(value) is int and SMALLEST <= value <= LARGEST)
        if name not in allowed or type(value) is not allowed[name] or not is_size:
            raise BadConfiguration(f"{architecture} takes no {name}={str(value)[:100]!r} in its configuration")


def _check_name(architecture: str) -> None:
    if architecture not in architectures():
        raise UnknownArchitecture(
            f"torchvision has no classifier called {architecture[:100]!r}; it has: {', '.join(architectures())}"
        )


def _read_channels(network: nn.Module, channels: int) -> None:
    name = stem_name(network)
    stem = network.get_submodule(name)
    assert isinstance(stem, nn.Conv2d)
    replacement = nn.Conv2d(
        channels,
        stem.out_channels,
        stem.kernel_size,  # type: ignore[arg-type]
        stem.stride,  # type: ignore[arg-type]
        stem.padding,  # type: ignore[arg-type]
        bias=stem.bias is not None,
    )
    network.set_submodule(name, replacement)


def _make_head_linear(network: nn.Module) -> None:
    last = head(network)
    if last.bias is None:
        last.bias = nn.Parameter(torch.zeros(len(last.weight)))
    if isinstance(last, nn.Conv2d):
        *path, position = head_name(network).split(".")
        container = network.get_submodule(".".join(path))
        setattr(container, str(int(position) + 1), nn.Identity())
