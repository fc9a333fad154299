"""Photos whose label may be wrong: confident learning on a probe's out-of-sample probabilities."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from training.probe import fit_linear

FOLDS = 5
PENALTIES = (1e-3, 1e-2, 1e-1)
CONFIDENT = 0.9


@dataclass(frozen=True)
class Doubt:
    """A photo by its index, the class that it looks like, and the probabilities of that and of its label."""

    index: int
    other: int
    probability: float
    own: float


def doubts(features: Float[Tensor, "n d"], labels: Int64[Tensor, " n"], classes: int, *, seed: int = 0) -> list[Doubt]:
    """Confident learning (Northcutt et al. 2019, arxiv.org/abs/1911.00068), the least likely labels first.

    A photo is in doubt when a probe that never saw it gives another class more than its label, and at least as much as
    that class's own photos get in the mean (or CONFIDENT, where the probe is nearly always surer than that).
    """
    candidates = [out_of_sample(features, labels, classes, penalty=penalty, seed=seed) for penalty in PENALTIES]
    # Of least loss: what a probe is sure of by heart it is not sure of out of sample.
    probabilities = min(candidates, key=lambda found: _own(found, labels).clamp(min=1e-12).log().mean().neg())
    own = _own(probabilities, labels)
    counts = torch.bincount(labels, minlength=classes).clamp(min=1)
    usual = torch.zeros(classes, dtype=own.dtype).index_add_(0, labels, own) / counts
    usual = usual.clamp(max=CONFIDENT)
    confident = torch.where(probabilities >= usual, probabilities, 0.0)
    best, other = confident.max(dim=1)
    chosen = ((other != labels) & (best > own)).nonzero().squeeze(1)
    order = chosen[torch.argsort((best - own)[chosen], descending=True)]
    return [Doubt(index, int(other[index]), best[index].item(), own[index].item()) for index in order.tolist()]


def _own(probabilities: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
    return probabilities.gather(1, labels.unsqueeze(1)).squeeze(1)


def out_of_sample(
    features: Float[Tensor, "n d"], labels: Int64[Tensor, " n"], classes: int, *, penalty: float, seed: int
) -> Float[Tensor, "n k"]:
    """Probabilities of each photo by a probe that was fitted to the other folds alone."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    found = torch.zeros(len(labels), classes, dtype=torch.float64)
    for fold in range(FOLDS):
        held = torch.zeros(len(labels), dtype=torch.bool)
        held[order[fold::FOLDS]] = True
        weight, bias = fit_linear(features[~held], labels[~held], classes=classes, penalty=penalty)
        found[held] = (features[held].double() @ weight.T + bias).softmax(dim=1)
    return found
