"""The nearest picture within an L1 ball and [0, 1] both (Croce & Hein 2021, arxiv.org/abs/2103.01208)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SAMPLED = 2**13
"""Values, evenly spread, that give a first guess: of a photo's, one in 50."""
ROUGHLY = 1e-2
PRECISION = 1e-6
FLOAT32 = 2**-24
"""Thresholds closer than this share are one."""
MOST_STEPS = 50


def onto_l1(moved: Tensor, origin: Tensor, epsilon: float) -> Tensor:
    """One changed picture [3, h, w] moved back until its change is epsilon long, where it is longer.

    All changes shrink by one threshold, and are cut to what [0, 1] allows. The length that is left falls with the
    threshold, along many short lines: secants find where it is epsilon, from a guess by a few of the values.
    """
    changes = _Changes((moved - origin).flatten(), -origin.flatten(), 1 - origin.flatten())
    first = _Guess(0.0, changes.count)
    stride = -(-len(changes.change) // SAMPLED) | 1  # odd, see steepest.signs_of_largest
    if stride > 1:
        sample = changes.every(stride)
        part = sample.count / changes.count
        _, guess = sample.shrunk_to(epsilon * part, ROUGHLY, first=_Guess(0.0, sample.count))
        first = _Guess(guess.threshold, guess.slope / part)
    change, _ = changes.shrunk_to(epsilon, PRECISION, first=first)
    return change.view_as(origin).add_(origin)


@dataclass(frozen=True)
class _Guess:
    """A threshold, and how much length a threshold higher by one would take: of n values n at most."""

    threshold: float
    slope: float


@dataclass(frozen=True)
class _Changes:
    """Values' changes [n], and how far down and up [0, 1] lets each go."""

    change: Tensor
    lowest: Tensor
    highest: Tensor

    @property
    def count(self) -> float:
        return float(len(self.change))

    def every(self, stride: int) -> "_Changes":
        return _Changes(*(values[::stride].contiguous() for values in (self.change, self.lowest, self.highest)))

    def shrunk_to(self, epsilon: float, precision: float, *, first: _Guess) -> tuple[Tensor, _Guess]:
        """The changes as they are left, epsilon long within this share of it, or all where they are shorter."""
        threshold, slope = first.threshold, first.slope
        least, most = 0.0, math.inf
        before: tuple[float, float] | None = None
        left, length = self.change.new_empty(2, len(self.change))  # new memory costs more than what is done in it
        for _ in range(MOST_STEPS):
            torch.sub(self.change, torch.clamp(self.change, -threshold, threshold, out=left), out=left)
            excess = torch.abs(left.clamp_(self.lowest, self.highest), out=length).sum().item() - epsilon
            if abs(excess) <= precision * epsilon or (excess < 0 and threshold == 0):
                break
            if before is not None:
                slope = (before[1] - excess) / (threshold - before[0])
            least, most = (threshold, most) if excess > 0 else (least, threshold)
            before, threshold = (threshold, excess), threshold + excess / max(slope, 1.0)
            if math.isclose(threshold, before[0], rel_tol=FLOAT32):
                break
            if not least < threshold < most:
                threshold = (least + most) / 2
        return left, _Guess(threshold, slope)
