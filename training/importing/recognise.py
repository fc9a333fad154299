"""Recognises the architecture of weights by their names and shapes, among the networks of torchvision."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor

from models import architectures
from models.architectures.without_memory import without_memory

POSITIONS = "encoder.pos_embedding"
"""The weight of torchvision's vision transformers whose length depends on the size of the input."""
AUXILIARY = re.compile(r"aux\d?\.|AuxLogits\.", re.IGNORECASE)
"""Beginnings of the weights of auxiliary heads (GoogLeNet, Inception), which only training from scratch uses."""
OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(\d)\.")
"""Names in torchvision's DenseNet files of 2017, which have `norm.1` for `norm1`."""


class Unrecognised(ValueError):
    """No architecture has weights of these names and shapes."""


@dataclass(frozen=True)
class Recognised:
    """An architecture, the weights under the names that it has for them, and the number of outputs of its head."""

    architecture: str
    weights: Mapping[str, Tensor]
    outputs: int
    channels: int = 3
    configuration: Mapping[str, Any] = field(default_factory=dict)


def recognise(weights: Mapping[str, Tensor]) -> Recognised:
    """The torchvision network of these weights, whatever the size of its head; raises Unrecognised."""
    for architecture in architectures.architectures():
        found = fit(architecture, weights)
        if found is not None:
            return found
    names = list(weights)
    raise Unrecognised(
        f"the architecture of these {len(names)} weights is none of torchvision's ({', '.join(names[:3])}, ...): name "
        "it with --architecture, as torchvision (resnet50) or timm (timm/resnet50) calls it, or as you registered it"
    )


@dataclass(frozen=True)
class _Skeleton:
    """The shapes of a network's weights, the names of its head and first layer, and the sizes of a transformer."""

    shapes: Mapping[str, tuple[int, ...]]
    head: str
    stem: str
    patch_size: int
    image_size: int


@cache
def _skeleton(architecture: str) -> _Skeleton:
    with without_memory():
        network = architectures.build(architecture, 1000, published=True)
    return _Skeleton(
        {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()},
        architectures.head_name(network),
        f"{architectures.stem_name(network)}.weight",
        getattr(network, "patch_size", 0),
        getattr(network, "image_size", 0),
    )


def fit(architecture: str, weights: Mapping[str, Tensor]) -> Recognised | None:
    """The weights as those of this network of torchvision; None if they are not."""
    skeleton = _skeleton(architecture)
    current = {OLD_DENSENET.sub(r"\1\2.", key): tensor for key, tensor in weights.items() if not AUXILIARY.match(key)}
    current = _with_plain_head(current, skeleton.head)
    kernel, bias = f"{skeleton.head}.weight", f"{skeleton.head}.bias"
    if kernel in current and bias in skeleton.shapes and bias not in current:
        current[bias] = torch.zeros(len(current[kernel]))
    missing = {key for key in skeleton.shapes if not key.endswith("num_batches_tracked")} - set(current)
    if missing or set(current) - set(skeleton.shapes):
        return None
    configuration: dict[str, Any] = {"published": True}
    if architecture in architectures.TENSORFLOWS:
        configuration["transform_input"] = False  # it is written into the mean and the standard deviation
    for key, tensor in current.items():
        shape, expected = tuple(tensor.shape), skeleton.shapes[key]
        if key == POSITIONS and shape[::2] == expected[::2]:
            side = math.isqrt(shape[1] - 1) * skeleton.patch_size
            configuration |= {"image_size": side} if side != skeleton.image_size else {}
        elif key in (kernel, bias):
            if shape[1:] != expected[1:]:
                return None
        elif key == skeleton.stem:
            if (shape[0], *shape[2:]) != (expected[0], *expected[2:]) or not 1 <= shape[1] <= 4:
                return None
        elif shape != expected:
            return None
    return Recognised(architecture, current, len(current[kernel]), current[skeleton.stem].shape[1], configuration)


def _with_plain_head(weights: dict[str, Tensor], head: str) -> dict[str, Tensor]:
    """The weights with the head's own name where a script has put the new head into a Sequential: `fc.1.weight`.

    A head of several layers stays as it is: what is between them cannot be seen in weights.
    """
    inside = [key for key in weights if re.fullmatch(rf"{re.escape(head)}\.(?:\w+\.)*\w*\.(?:weight|bias)", key)]
    kernels = [key for key in inside if key.endswith(".weight")]
    if f"{head}.weight" in weights or len(kernels) != 1 or len(inside) > 2:
        return weights
    renamed = {key: f"{head}.{key.rpartition('.')[2]}" for key in inside}
    return {renamed.get(key, key): tensor for key, tensor in weights.items()}
