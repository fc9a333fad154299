"""What an ideal picture is of: a class of the model, or a channel of one of its layers."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from models.layers import Layer, maps
from models.query import Answer, Query
from models.spec import Spec

OBJECTIVES = ("logit", "cross_entropy", "margin")


@runtime_checkable
class Subject(Protocol):
    """What the pictures are to be seen as."""

    @property
    def label(self) -> str:
        """Its name."""
        ...

    def ask(self, pixels: Float[Tensor, "n 3 s s"], *, gradients: bool) -> Query:
        """How much it is to be seen on each row, with gradients of a loss that falls as it is seen more, or without."""
        ...

    def seen(self, answer: Answer) -> Float[Tensor, " n"]:
        """How much each row shows it: a probability, or a mean activation."""
        ...


@dataclass(frozen=True)
class OfClass:
    """A class: `seen` is its probability, in [0, 1]."""

    index: int
    spec: Spec
    objective: str = "logit"

    @property
    def label(self) -> str:
        return self.spec.classes[self.index]

    def ask(self, pixels: Float[Tensor, "n 3 s s"], *, gradients: bool) -> Query:
        return Query(pixels, self._loss if gradients else None, apart=True)

    def seen(self, answer: Answer) -> Float[Tensor, " n"]:
        return answer.logits.softmax(dim=1)[:, self.index]

    def _loss(self, logits: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        if self.objective == "cross_entropy":
            return -logits.log_softmax(dim=1)[:, self.index]
        own = logits[:, self.index]
        if self.objective == "logit":
            return -own
        others = torch.cat([logits[:, : self.index], logits[:, self.index + 1 :]], dim=1)
        return others.amax(dim=1) - own


@dataclass(frozen=True)
class OfChannel:
    """A channel of a layer: `seen` is its activation, the mean over the map."""

    layer: Layer
    channel: int

    @property
    def label(self) -> str:
        return f"{self.layer.name}:{self.channel}"

    def ask(self, pixels: Float[Tensor, "n 3 s s"], *, gradients: bool) -> Query:
        return Query(pixels, self._loss if gradients else None, self.layer.name, within=True, apart=True)

    def seen(self, answer: Answer) -> Float[Tensor, " n"]:
        assert answer.activations is not None, "the query names the layer"
        return self._mean(answer.activations)

    def _loss(self, activations: Tensor) -> Float[Tensor, " n"]:
        return -self._mean(activations)

    def _mean(self, activations: Tensor) -> Float[Tensor, " n"]:
        return maps(activations)[:, self.channel].mean(dim=(1, 2))
