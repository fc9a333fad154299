"""The linear probe: a linear classifier of a frozen network's features, the head that fine-tuning starts from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from training.metrics import measure
from training.rare import training_loss

Features = tuple[Float[Tensor, "n d"], Int64[Tensor, " n"]]


@dataclass(frozen=True)
class Probe:
    """A head for features that are not standardised, its L2 penalty, and its figures on the validation split."""

    weight: Float[Tensor, "k d"]
    bias: Float[Tensor, " k"]
    penalty: float
    accuracy: float
    balanced_accuracy: float
    nll: float

    def to_tensors(self) -> dict[str, Tensor]:
        """The probe as tensors that can be stored."""
        figures = torch.tensor([self.penalty, self.accuracy, self.balanced_accuracy, self.nll], dtype=torch.float64)
        return {"weight": self.weight, "bias": self.bias, "figures": figures}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The probe from what `to_tensors` returned."""
        return cls(tensors["weight"], tensors["bias"], *tensors["figures"].tolist())


def best_probe(
    train: Features,
    validation: Features,
    classes: Sequence[str],
    penalties: Sequence[float],
    weights: Float[Tensor, " k"] | None = None,
) -> Probe:
    """Fit a probe with each penalty, and return the one with the best accuracy on validation, then the least loss.

    With `weights` of the classes, balanced accuracy takes the place of accuracy.
    """
    probes = []
    for penalty in penalties:
        weight, bias = fit_linear(*train, classes=len(classes), penalty=penalty, weights=weights)
        metrics = measure(validation[0].double() @ weight.T + bias, validation[1], classes)
        figures = (metrics.accuracy, metrics.balanced_accuracy, metrics.nll)
        probes.append(Probe(weight.float(), bias.float(), penalty, *figures))
    if weights is None:
        return max(probes, key=lambda probe: (probe.accuracy, -probe.nll))
    return max(probes, key=lambda probe: (probe.balanced_accuracy, -probe.nll))


def fit_linear(
    features: Float[Tensor, "n d"],
    labels: Int64[Tensor, " n"],
    *,
    classes: int,
    penalty: float,
    steps: int = 300,
    weights: Float[Tensor, " k"] | None = None,
) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
    """Minimise mean cross-entropy + penalty / 2 |W|^2 on standardised features, by L-BFGS in float64.

    With `weights` each photo's cross-entropy is multiplied by the weight of its class.
    The standardisation is folded into the returned weight and bias, which take features that are not standardised.
    """
    mean, deviation = features.double().mean(dim=0), features.double().std(dim=0, correction=0)
    # A constant feature carries no information; dividing by its deviation would only magnify rounding errors.
    scale = torch.where(deviation > 1e-6, 1 / deviation.clamp(min=1e-6), 0.0)
    standard = (features.double() - mean) * scale
    weight = torch.zeros(classes, features.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=steps, tolerance_grad=1e-7, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        optimiser.zero_grad()
        loss = training_loss(standard @ weight.T + bias, labels, weights=weights) + penalty / 2 * weight.square().sum()
        loss.backward()
        return loss.item()

    optimiser.step(closure)
    folded = weight.detach() * scale
    return folded, bias.detach() - folded @ mean
