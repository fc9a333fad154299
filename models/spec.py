"""Architecture, classes, preprocessing and outputs of a classifier: all that is needed to use its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any, ClassVar

from models.classes import ClassNames
from models.resize import KERNELS

COLOURS = ("RGB", "BGR", "RGBA", "BGRA", "L", "LA")
"""The channels that the input of a network may have, in their order: red, green, blue, A for opacity, L for grey."""
RESIZE_MODES = ("crop", "squash", "pad")
"""How a picture gets the proportions of the input: a part is cut off, it is distorted, or borders are added."""
OUTPUTS = ("logits", "probabilities")
"""What a network may return for each class."""
LARGEST = 2048
"""Largest height and width of the input of a network, and of the resized picture, in pixels."""
SMALLEST = 16
"""Smallest height and width of the input of a network in pixels."""
NO_GRADIENTS = (
    "this model gives no gradients with respect to the pixels, and {what}: it can classify pictures, show its feature "
    "maps, and be attacked by `attack=square`, which needs none"
)
"""Why a request for a network that is not differentiable is refused; `what` says what needs the gradients."""


class BadSpec(ValueError):
    """A spec with which no network can be built or used."""


@dataclass(frozen=True)
class Spec:
    """Architecture, classes, preprocessing and outputs of one classifier.

    `architecture` names the network, and `configuration` has what else is needed to build it, as plain JSON
    (models/architectures).

    A picture is resized, and the centre of `input_size` pixels is the input of the network; both sizes are one number
    for a square, or (height, width). With the `resize_mode` "crop" the picture keeps its proportions and covers
    `resize`: for one number, its shorter side has that many pixels. With "squash" both sides are resized to exactly
    `resize`. With "pad" the picture keeps its proportions and fits into `resize`, and the rest of the input has the
    colour `padding` (red, green, blue from 0 to 1). Without `antialias` an interpolation that reduces a picture reads
    only the pixels next to each position, as TensorFlow and OpenCV do. Where the centre begins between two pixels it
    begins at the even one, as in torchvision, or with `crop_down` at the first one, as in transformers.

    The pixels are in [0, 1], in the channels that `colours` lists (by default L for one mean, else RGB). The
    classifier's first layer subtracts `mean` and divides by `std`, per channel. An `L` channel is grey (ITU-R 601), and
    `A` is 1, since pictures are opaque.

    The `outputs` of the network are logits or probabilities, of which the first is left out if it is a `background`
    class that `classes` does not name. The only output of a `binary` network is the logit, or the probability, of the
    second of its two classes. Probabilities add up to 1 over all classes, except with
    `multi_label`: then each label has a probability of its own, the sigmoid of its logit. Logits are divided by
    `temperature` (Guo et al. 2017, arxiv.org/abs/1706.04599). `differentiable` says whether gradients with respect to
    the pixels can be computed.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # reading a spec with an unknown field is an error

    architecture: str
    classes: tuple[str, ...]
    input_size: int | tuple[int, int] = 224
    resize: int | tuple[int, int] = 256
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    temperature: float = 1.0
    resize_mode: str = "crop"
    antialias: bool = True
    padding: tuple[float, float, float] = (0.0, 0.0, 0.0)
    colours: str | None = None
    outputs: str = "logits"
    multi_label: bool = False
    background: bool = False
    binary: bool = False
    differentiable: bool = True
    crop_down: bool = False
    configuration: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if len(self.classes) < 2 and not (self.multi_label and self.classes):
            raise BadSpec(f"a classifier needs two classes or more, not {len(self.classes)}")
        self._check_sizes()
        _check_choice("interpolation", self.interpolation, tuple(KERNELS))
        _check_choice("colours", self.channel_names, COLOURS)
        _check_choice("outputs", self.outputs, OUTPUTS)
        if not len(self.mean) == len(self.std) == self.channels or not all(map(isfinite, (*self.mean, *self.std))):
            raise BadSpec(
                f"mean and std need one finite number for each of the {self.channels} channels of "
                f"{self.channel_names}, not {len(self.mean)} and {len(self.std)}"
            )
        if min(self.std) <= 0:
            raise BadSpec(f"std is above 0, not {min(self.std)}")
        if self.binary and len(self.classes) != 2:
            raise BadSpec(f"a network with one output for two classes (binary) has two, not {len(self.classes)}")
        if self.binary and (self.multi_label or self.background):
            raise BadSpec(
                "a network with one output for two classes has no background class, and a picture belongs to one of "
                "the two: leave out background and multi_label, or give one class"
            )
        if not 0 < self.temperature < float("inf"):
            raise BadSpec(f"the temperature is above 0, not {self.temperature}")

    def _check_sizes(self) -> None:
        _check_choice("resize_mode", self.resize_mode, RESIZE_MODES)
        sizes = [*self.size, *self.resize_size]
        fits = self.resize_mode == "pad" or all(
            side <= resized for side, resized in zip(self.size, self.resize_size, strict=True)
        )
        if min(sizes) < SMALLEST or max(sizes) > LARGEST or not fits:
            raise BadSpec(
                f"input_size and resize are from {SMALLEST} to {LARGEST} pixels, and resize is not smaller than "
                f"input_size unless resize_mode is pad: not {self.input_size} and {self.resize}"
            )
        if not all(0 <= value <= 1 for value in self.padding):
            raise BadSpec(f"the values of padding are from 0 to 1, not {self.padding}")

    @property
    def channels(self) -> int:
        """Number of channels of the network's input."""
        return len(self.channel_names)

    @property
    def channel_names(self) -> str:
        """The `colours`; by default L where mean and std have one value, else RGB."""
        return self.colours or ("L" if len(self.mean) == 1 else "RGB")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input in pixels."""
        return _pair(self.input_size)

    @property
    def resize_size(self) -> tuple[int, int]:
        """Height and width that the resized picture covers, has exactly, or fits into, by `resize_mode`."""
        return _pair(self.resize)

    @property
    def network_outputs(self) -> int:
        """Number of values that the network returns for a picture."""
        return 1 if self.binary else len(self.classes) + self.background

    @property
    def side(self) -> int:
        """The side of a square input in pixels; raises BadSpec where the input is not square."""
        height, width = self.size
        if height != width:
            raise BadSpec(f"this needs a network of square pictures, and {self.architecture} takes {height} x {width}")
        return height

    @cached_property
    def names(self) -> ClassNames:
        """The classes, to be found by name or index."""
        return ClassNames(self.classes)


def check_gradients(spec: Spec, what: str, error: type[Exception]) -> None:
    """Raise the error, which says what the network can do, if it gives no gradients; `what` is what needs them."""
    if not spec.differentiable:
        raise error(NO_GRADIENTS.format(what=what))


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BadSpec(f"{name} is one of {', '.join(choices)}, not {value!r}")


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
