"""The subject of an ideal picture: a class of the model, or a channel of one of its layers."""

from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from models.layers import Layer
from models.preprocessing import to_float
from models.probabilities import probabilities
from models.query import Answer, Objective, Passes, Query, Task
from models.spec import Spec

NOISE_PICTURES = 4
"""Number of noise pictures on which the activation of a channel is measured."""

ClassObjective = Literal["logit", "cross_entropy", "margin"]
"""What gradient ascent raises for a class: its logit, its log-probability, or its lead over the best other logit."""


@runtime_checkable
class Subject(Protocol):
    """What gradient ascent makes the network recognise in a picture."""

    @property
    def label(self) -> str:
        """The subject's name."""
        ...

    def query(self, pixels: Float[Tensor, "n 3 i j"], *, gradients: bool) -> Query:
        """The query that measures the strength on each row; with `gradients`, also those of the mean loss over rows."""
        ...

    def strength(self, answer: Answer) -> Float[Tensor, " n"]:
        """How strongly the network recognises the subject in each row: a probability, or a mean activation."""
        ...


@dataclass(frozen=True)
class ClassSubject:
    """A class; its strength is its probability, in [0, 1]."""

    index: int
    spec: Spec
    objective: ClassObjective = "logit"

    @property
    def label(self) -> str:
        return self.spec.classes[self.index]

    def query(self, pixels: Float[Tensor, "n 3 i j"], *, gradients: bool) -> Query:
        return Query(pixels, _mean_of(self._loss, len(pixels)) if gradients else None, apart=True)

    def strength(self, answer: Answer) -> Float[Tensor, " n"]:
        return probabilities(answer.logits, self.spec)[:, self.index]

    def _loss(self, logits: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        own = logits[:, self.index]
        if self.objective == "logit":
            return -own
        if self.spec.multi_label:  # a label has no rivals: it is more probable than not from a logit of 0 on
            return softplus(-own) if self.objective == "cross_entropy" else -own
        if self.objective == "cross_entropy":
            return -logits.log_softmax(dim=1)[:, self.index]
        others = torch.cat([logits[:, : self.index], logits[:, self.index + 1 :]], dim=1)
        return others.amax(dim=1) - own


@dataclass(frozen=True)
class ChannelSubject:
    """A channel of a layer; its strength is its activation, the mean over the feature map.

    The loss is divided by `unit`, the channel's mean absolute activation on noise: activations differ by orders of
    magnitude between layers, and the weight of the total variation should mean the same for all.
    """

    layer: Layer
    channel: int
    unit: float = 1.0

    @property
    def label(self) -> str:
        return f"{self.layer.name}:{self.channel}"

    def query(self, pixels: Float[Tensor, "n 3 i j"], *, gradients: bool) -> Query:
        objective = _mean_of(self._loss, len(pixels)) if gradients else None
        return Query(pixels, objective, self.layer.name, within=True, apart=True)

    def strength(self, answer: Answer) -> Float[Tensor, " n"]:
        assert answer.activations is not None, "the query names the layer"
        return self._mean(answer.activations)

    def _loss(self, activations: Tensor) -> Float[Tensor, " n"]:
        return -self._mean(activations) / self.unit

    def measured_on_noise(
        self, spec: Spec, device: torch.device, passes: Passes
    ) -> Task[tuple["ChannelSubject", float]]:
        """The same channel with its `unit`, and the mean activation on NOISE_PICTURES pictures of uniform noise."""
        shape = (NOISE_PICTURES, 3, *spec.size)
        noise = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        answer = yield from passes.ask(self.query(to_float(noise).to(device), gradients=False))
        assert answer.activations is not None, "the query names the layer"
        unit = self.layer.maps(answer.activations)[:, self.channel].abs().mean().item()
        return replace(self, unit=unit or 1.0), self.strength(answer).mean().item()

    def _mean(self, activations: Tensor) -> Float[Tensor, " n"]:
        return self.layer.maps(activations)[:, self.channel].mean(dim=(1, 2))


def _mean_of(loss: Objective, rows: int) -> Objective:
    """The loss of each row divided by the number of rows: the gradient of their sum is that of the mean."""
    return lambda values: loss(values) / rows
