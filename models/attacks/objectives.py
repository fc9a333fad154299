"""What an attack minimises, and when it has won."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.query import Objective

SETTLED = 1e-3
"""A verdict counts when the best logit leads by this much, since sums are rounded in another order in another batch."""


def log_odds(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """log p / (1 - p) of each row's label.

    Its gradient points where the cross-entropy's does (that is -log sigmoid of it), and does not vanish when p is 1 to
    float precision.
    """
    one = torch.zeros_like(logits, dtype=torch.bool).scatter(1, labels.unsqueeze(1), True)
    others = logits.masked_fill(one, -torch.inf)
    return logits.gather(1, labels.unsqueeze(1)).squeeze(1) - others.logsumexp(dim=1)


def away_from(labels: Int[Tensor, " n"]) -> Objective:
    """Untargeted: lower the odds of each row's present label."""
    return lambda logits: log_odds(logits, labels)


def towards(labels: Int[Tensor, " n"]) -> Objective:
    """Targeted: raise the odds of each row's target."""
    return lambda logits: -log_odds(logits, labels)


def fooled(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"], *, targeted: bool) -> Bool[Tensor, " n"]:
    """Whether each row's verdict is its target (targeted) or not its label (untargeted), beyond rounding's reach."""
    best, second = logits.topk(2, dim=1).values.unbind(dim=1)
    hit = logits.argmax(dim=1) == labels
    return (hit if targeted else ~hit) & (best - second > SETTLED)
