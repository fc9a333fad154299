"""What an attack minimises, and when it has won.

Each is a score of one label per row, logits [n, k] and labels [n] -> [n]: an untargeted attack lowers its label's, a
targeted one raises its target's.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Scores = Float[Tensor, " n"]
Score = Callable[[Tensor, Tensor], Tensor]

SETTLED = 1e-3
"""A verdict counts when the best logit leads by this much, since sums are rounded in another order in another batch."""


def _of(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Scores:
    return logits.gather(1, labels.unsqueeze(1)).squeeze(1)


def _others(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Float[Tensor, "n k"]:
    return logits.scatter(1, labels.unsqueeze(1), -torch.inf)


def log_odds(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Scores:
    """log p / (1 - p) of each row's label.

    The cross-entropy is -log sigmoid of it: its gradient has the same direction, and does not vanish when p is 1 to
    float precision.
    """
    return _of(logits, labels) - _others(logits, labels).logsumexp(dim=1)


def margin(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Scores:
    """The label's logit less the largest other (Carlini & Wagner 2017, arxiv.org/abs/1608.04644)."""
    return _of(logits, labels) - _others(logits, labels).amax(dim=1)


def dlr(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Scores:
    """The difference of logits ratio (Croce & Hein 2020, arxiv.org/abs/2003.01690): the margin in units of z1 - z3.

    Unchanged when logits are shifted or scaled. Needs three classes; of two it is the margin.
    """
    difference = margin(logits, labels)
    if logits.shape[1] < 3:
        return difference
    first, _, third = logits.topk(3, dim=1).values.unbind(dim=1)
    return difference / (first - third).clamp(min=1e-12)


def dlr_towards(targets: Int[Tensor, " n"]) -> Score:
    """The targeted DLR (same paper): (z_y - z_t) / (z1 - (z3 + z4) / 2), as a score of the label y against a target.

    Needs four classes; of fewer it is z_y - z_t.
    """

    def score(logits: Tensor, labels: Tensor) -> Tensor:
        difference = _of(logits, labels) - _of(logits, targets)
        if logits.shape[1] < 4:
            return difference
        first, _, third, fourth = logits.topk(4, dim=1).values.unbind(dim=1)
        return difference / (first - (third + fourth) / 2).clamp(min=1e-12)

    return score


def lead(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], *, targeted: bool) -> Scores:
    """By how much each row's goal leads: the target over all others, or the best other over the label."""
    difference = margin(logits, labels)
    return difference if targeted else -difference
