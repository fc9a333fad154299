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
    """An architecture, the weights under the names that it has for them, and the number of outputs of its head.

    `side` is that of the pictures in pixels, None for a network that takes pictures of any size.
    """

    architecture: str
    weights: Mapping[str, Tensor]
    outputs: int
    channels: int = 3
    configuration: Mapping[str, Any] = field(default_factory=dict)
    side: int | None = None


def recognise(weights: Mapping[str, Tensor]) -> Recognised:
    """The torchvision network of these weights, whatever the size of its head; raises Unrecognised."""
    for architecture in architectures.architectures():
        found = fit(architecture, weights)
        if found is not None:
            return found
    names = ", ".join(name[:100] for name in list(weights)[:3])
    raise Unrecognised(
        f"the architecture of these {len(weights)} weights is none of torchvision's ({names}, ...): name it with "
        "--architecture, as torchvision (resnet50) or timm (timm/resnet50) calls it, or as you registered it"
    )


@dataclass(frozen=True)
class _Skeleton:
    """The shapes of a network's weights, the names of its head and first layer, and the side of a patch."""

    shapes: Mapping[str, tuple[int, ...]]
    head: str
    stem: str
    patch_size: int


@cache
def _skeleton(architecture: str) -> _Skeleton:
    with without_memory():
        network = architectures.build(architecture, 1000, published=True)
    return _Skeleton(
        {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()},
        architectures.head_name(network),
        f"{architectures.stem_name(network)}.weight",
        getattr(network, "patch_size", 0),
    )


def fit(architecture: str, weights: Mapping[str, Tensor]) -> Recognised | None:
    """The weights as those of this network of torchvision; None if they are not."""
    skeleton = _skeleton(architecture)
    current = {OLD_DENSENET.sub(r"\1\2.", key): tensor for key, tensor in weights.items() if not AUXILIARY.match(key)}
    current = with_plain_head(current, skeleton.head)
    kernel, bias = f"{skeleton.head}.weight", f"{skeleton.head}.bias"
    shapes = {key: tuple(tensor.shape) for key, tensor in current.items()}
    if kernel not in shapes or shapes[kernel][1:] != skeleton.shapes[kernel][1:]:
        return None
    outputs = shapes[kernel][0]
    configuration: dict[str, Any] = {"published": True}
    if bias in skeleton.shapes and bias not in current:
        current[bias] = torch.zeros(outputs)
    if bias in current and bias not in skeleton.shapes:
        configuration = {}  # MaxViT's head has no bias, and a script's new head has one
    if architecture in architectures.TENSORFLOWS:
        configuration["transform_input"] = False  # it is written into the mean and the standard deviation
    fixed = {key: shape for key, shape in skeleton.shapes.items() if not key.endswith("num_batches_tracked")}
    if not set(fixed) <= set(current) or not set(current) <= {*skeleton.shapes, bias}:
        return None
    channels = shapes[skeleton.stem][1] if len(shapes[skeleton.stem]) == 4 else 0
    if not 1 <= channels <= 4:
        return None
    expected = {**skeleton.shapes, kernel: shapes[kernel], bias: (outputs,)}
    first, _, *window = expected[skeleton.stem]
    expected[skeleton.stem] = (first, channels, *window)
    side = None
    if POSITIONS in shapes:
        side = _image_size(shapes[POSITIONS], skeleton)
        configuration |= architectures.of_size(architecture, side)
        expected[POSITIONS] = (1, (side // skeleton.patch_size) ** 2 + 1, expected[POSITIONS][2])
    if any(tuple(tensor.shape) != expected[key] for key, tensor in current.items()):
        return None
    return Recognised(architecture, current, outputs, channels, configuration, side)


def _image_size(positions: tuple[int, ...], skeleton: _Skeleton) -> int:
    """The side of the pictures of a vision transformer with as many positions, one of which is the class token's."""
    tokens = max(1, positions[1] - 1) if len(positions) == 3 else 1
    return math.isqrt(tokens) * skeleton.patch_size


def with_plain_head(weights: dict[str, Tensor], head: str) -> dict[str, Tensor]:
    """The weights with the head's own name where a script has put the new head elsewhere.

    Either it is inside a Sequential (`fc.1.weight`), or it took the place of one whose other layers have no weights
    (`classifier.weight` for `classifier.1.weight`). A head of several layers stays as it is: what is between them
    cannot be seen in weights.
    """
    place = re.escape(head)
    if (container := head.rpartition(".")[0]) and f"{container}.weight" in weights:
        place = re.escape(container)
    new = [key for key in weights if re.fullmatch(rf"{place}\.(?:\w+\.)*(?:weight|bias)", key)]
    kernels = [key for key in new if key.endswith(".weight")]
    if f"{head}.weight" in weights or len(kernels) != 1 or len(new) > 2:
        return weights
    renamed = {key: f"{head}.{key.rpartition('.')[2]}" for key in new}
    return {renamed.get(key, key): tensor for key, tensor in weights.items()}
