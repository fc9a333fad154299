"""The nearest picture within an L1 ball and [0, 1] both (Croce & Hein 2021, arxiv.org/abs/2103.01208)."""

from dataclasses import dataclass

import torch
from torch import Tensor

SAMPLED = 2**13
"""Values, evenly spread, that give a first guess: of a photo's, one in 50."""
BELOW = 0.7
"""Of the guess: changes that are no longer than so much vanish, unless the guess was far too high."""
FEW = 0.25
"""Of all values: where as many are left, it is quicker to work on all than to pick them out."""
PRECISION = 1e-6
MOST_STEPS = 50


def onto_l1(change: Tensor, origin: Tensor, epsilon: float) -> Tensor:
    """One changed picture [3, h, w] moved back until its change is epsilon long, where it is longer.

    All changes shrink by one threshold, and are cut to what [0, 1] allows. What is left is piecewise linear in the
    threshold: Newton's steps find it, from a guess by a few of the values, on those alone that can be left.
    """
    changes, origins = change.flatten(), origin.flatten()
    stride = -(-len(changes) // SAMPLED) | 1  # odd, see steepest.signs_of_largest
    sample = changes[::stride]
    guess = _Shrunk.to(epsilon * len(sample) / len(changes), sample, origins[::stride], 0.0).threshold
    left = (changes.abs() > BELOW * guess).nonzero().squeeze(1)
    if len(left) < FEW * len(changes):
        some = _Shrunk.to(epsilon, changes.index_select(0, left), origins.index_select(0, left), guess)
        if some.threshold >= BELOW * guess:
            return origins.index_copy(0, left, some.moved()).reshape(origin.shape)
    return _Shrunk.to(epsilon, changes, origins, guess).moved().reshape(origin.shape)


@dataclass(frozen=True)
class _Shrunk:
    """Values [n] whose changes are to shrink by the threshold."""

    origin: Tensor
    length: Tensor
    sign: Tensor
    threshold: float

    @staticmethod
    def to(epsilon: float, change: Tensor, origin: Tensor, guess: float) -> "_Shrunk":
        """So that the changes are epsilon long together, or as they are where they are shorter."""
        # Arithmetic alone: comparisons and choices take several times as long on a CPU.
        length, sign = change.abs(), change.sign()
        room = (origin - 0.5).mul_(sign).neg_().add_(0.5)
        fits = torch.minimum(length, room).sum() <= epsilon
        return _Shrunk(origin, length, sign, 0.0 if fits else _threshold(length, room, epsilon, guess))

    def moved(self) -> Tensor:
        """The values where they end."""
        return (self.length - self.threshold).clamp_(min=0).mul_(self.sign).add_(self.origin).clamp_(0, 1)


def _threshold(length: Tensor, room: Tensor, epsilon: float, guess: float) -> float:
    least, most, threshold = 0.0, length.max().item(), guess
    for _ in range(MOST_STEPS):
        left = (length - threshold).clamp_(min=0)
        excess = torch.minimum(left, room).sum().item() - epsilon
        if abs(excess) <= PRECISION * epsilon:
            break
        least, most = (threshold, most) if excess > 0 else (least, threshold)
        falling = (room - left).clamp_(min=0).sign_().mul_(left.sign_()).sum().item()
        before, threshold = threshold, threshold + excess / max(falling, 1.0)
        if not least < threshold < most:
            threshold = (least + most) / 2
        if threshold == before:
            break
    return threshold
