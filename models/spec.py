"""Architecture, classes and preprocessing of a classifier: all that is needed to use its weights."""

from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import ClassVar

from models.classes import ClassNames


class BadSpec(ValueError):
    """A spec with which no network can be built or used."""


@dataclass(frozen=True)
class Spec:
    """Architecture, classes and preprocessing of one classifier.

    A picture is resized until its shorter side has `resize` pixels; its centre of `input_size` x `input_size` pixels is
    the input of the network. The pixels are in [0, 1]; the classifier's first layer subtracts `mean` and divides by
    `std`, per channel. With one value each, the network takes grey pictures of one channel. Logits are divided by
    `temperature` (Guo et al. 2017, arxiv.org/abs/1706.04599).
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # reading a spec with an unknown field is an error

    architecture: str
    classes: tuple[str, ...]
    input_size: int = 224
    resize: int = 256
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise BadSpec(f"a classifier needs two classes or more, not {len(self.classes)}")
        if not 16 <= self.input_size <= self.resize <= 2048:
            raise BadSpec(f"need 16 <= input_size <= resize <= 2048, not {self.input_size} and {self.resize}")
        if self.interpolation not in ("bilinear", "bicubic"):
            raise BadSpec(f"interpolation is bilinear or bicubic, not {self.interpolation!r}")
        sizes = {len(self.mean), len(self.std)}
        if sizes not in ({3}, {1}) or not all(map(isfinite, (*self.mean, *self.std))):
            raise BadSpec("mean and std need three values each, or one for grey pictures, none of them infinite")
        if min(self.std) <= 0:
            raise BadSpec(f"std is above 0, not {min(self.std)}")
        if not 0 < self.temperature < float("inf"):
            raise BadSpec(f"the temperature is above 0, not {self.temperature}")

    @property
    def channels(self) -> int:
        """Number of channels of the network's input: 3 for colours, 1 for grey."""
        return len(self.mean)

    @cached_property
    def names(self) -> ClassNames:
        """The classes, to be found by name or index."""
        return ClassNames(self.classes)
