"""Photos whose label may be wrong: confident learning on the out-of-sample probabilities of a linear probe."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from training.probe import fit_linear

FOLDS = 5
"""Number of folds of the cross-validation."""
PENALTIES = (1e-3, 1e-2, 1e-1)
"""L2 penalties of the linear probe that are tried."""
MAX_THRESHOLD = 0.9
"""Probability of another class that always suffices for an error, however confident the probe usually is."""


@dataclass(frozen=True)
class LabelError:
    """A photo (by index) whose label may be wrong.

    `other` is the class that it looks like, `probability` the probability of that class, `own` that of the label.
    """

    index: int
    other: int
    probability: float
    own: float


def find_label_errors(
    features: Float[Tensor, "n d"], labels: Int64[Tensor, " n"], classes: int, *, seed: int = 0
) -> list[LabelError]:
    """Confident learning (Northcutt et al. 2019, arxiv.org/abs/1911.00068), the least likely labels first.

    A label may be wrong if a probe that was not fitted to the photo gives another class a higher probability than the
    label, and at least the mean probability that photos of that class get for it (or MAX_THRESHOLD, if that is less).
    """
    candidates = [out_of_sample(features, labels, classes, penalty=penalty, seed=seed) for penalty in PENALTIES]
    # The penalty with the least out-of-sample loss, so that the probe does not overfit.
    probabilities = min(candidates, key=lambda candidate: _own(candidate, labels).clamp(min=1e-12).log().mean().neg())
    own = _own(probabilities, labels)
    counts = torch.bincount(labels, minlength=classes).clamp(min=1)
    usual = torch.zeros(classes, dtype=own.dtype).index_add_(0, labels, own) / counts
    usual = usual.clamp(max=MAX_THRESHOLD)
    confident = torch.where(probabilities >= usual, probabilities, 0.0)
    best, other = confident.max(dim=1)
    chosen = ((other != labels) & (best > own)).nonzero().squeeze(1)
    order = chosen[torch.argsort((best - own)[chosen], descending=True)]
    return [LabelError(index, int(other[index]), best[index].item(), own[index].item()) for index in order.tolist()]


def _own(probabilities: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
    return probabilities.gather(1, labels.unsqueeze(1)).squeeze(1)


def out_of_sample(
    features: Float[Tensor, "n d"], labels: Int64[Tensor, " n"], classes: int, *, penalty: float, seed: int
) -> Float[Tensor, "n k"]:
    """Probabilities of each photo from a probe that was fitted only to the other folds."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    probabilities = torch.zeros(len(labels), classes, dtype=torch.float64)
    for fold in range(FOLDS):
        is_held_out = torch.zeros(len(labels), dtype=torch.bool)
        is_held_out[order[fold::FOLDS]] = True
        weight, bias = fit_linear(features[~is_held_out], labels[~is_held_out], classes=classes, penalty=penalty)
        probabilities[is_held_out] = (features[is_held_out].double() @ weight.T + bias).softmax(dim=1)
    return probabilities
