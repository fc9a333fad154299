"""Scores of a class from which the losses of attacks are made, and the lead that decides whether an attack has won.

Each score takes logits [n, k] and one label per row [n], and returns [n]. An untargeted attack lowers the score of the
label, a targeted one raises that of its target.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Scores = Float[Tensor, " n"]
Score = Callable[[Tensor, Tensor], Tensor]

SETTLED = 1e-3
"""Logits by which the goal must lead to count as reached: float32 sums differ a little from batch to batch."""


def _label_logits(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Scores:
    return logits.gather(1, labels.unsqueeze(1)).squeeze(1)


def _other_logits(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Float[Tensor, "n k"]:
    return logits.scatter(1, labels.unsqueeze(1), -torch.inf)


def most_probable_others(
    logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], count: int
) -> tuple[Int[Tensor, " n"], ...]:
    """The `count` most probable classes of each row other than its label (fewer if there are fewer), best first."""
    return _other_logits(logits, labels).topk(min(count, logits.shape[1] - 1), dim=1).indices.unbind(dim=1)


def log_odds(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Scores:
    """log(p / (1 - p)) of each row's label, where p is its probability.

    The cross-entropy is -log sigmoid of it. Both gradients have the same direction, but that of the log-odds does not
    vanish when p rounds to 1.
    """
    return _label_logits(logits, labels) - _other_logits(logits, labels).logsumexp(dim=1)


def margin(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Scores:
    """The label's logit minus the largest other logit (Carlini & Wagner 2017, arxiv.org/abs/1608.04644)."""
    return _label_logits(logits, labels) - _other_logits(logits, labels).amax(dim=1)


def dlr(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Scores:
    """The difference of logits ratio (Croce & Hein 2020, arxiv.org/abs/2003.01690): the margin divided by z1 - z3.

    Shifting or scaling all logits does not change it. It needs three classes; with two it is the margin.
    """
    difference = margin(logits, labels)
    if logits.shape[1] < 3:
        return difference
    first, _, third = logits.topk(3, dim=1).values.unbind(dim=1)
    return difference / (first - third).clamp(min=1e-12)


def dlr_towards(targets: Int[Tensor, " n"]) -> Score:
    """The targeted DLR of the same paper, (z_y - z_t) / (z1 - (z3 + z4) / 2): a score of the label y against target t.

    It needs four classes; with fewer it is z_y - z_t.
    """

    def score(logits: Tensor, labels: Tensor) -> Tensor:
        difference = _label_logits(logits, labels) - _label_logits(logits, targets)
        if logits.shape[1] < 4:
            return difference
        first, _, third, fourth = logits.topk(4, dim=1).values.unbind(dim=1)
        return difference / (first - (third + fourth) / 2).clamp(min=1e-12)

    return score


def lead(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], *, targeted: bool) -> Scores:
    """By how much each row's goal leads: the target over all others, or the best other over the label."""
    own, others = _label_logits(logits, labels), _other_logits(logits, labels).amax(dim=1)
    return own - others if targeted else others - own
