"""The nearest picture within an L1 ball and [0, 1] both (Croce & Hein 2021, arxiv.org/abs/2103.01208)."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

PRECISION = 1e-5
"""Of epsilon, by how much a change may miss it."""
FLOAT32 = 2**-24
"""Thresholds closer than this share are one."""
FEW_STEPS = 6
"""After which every other step halves the range: from far off a secant may go on and on by little."""
MOST_STEPS = 100


@dataclass(frozen=True)
class _Guess:
    """A threshold, and how much length a threshold higher by one would take: of n values n at most."""

    threshold: float
    slope: float


class L1Ball:
    """What is near pictures in L1.

    All changes shrink by one threshold, and are cut to what [0, 1] allows. The length that is left falls with the
    threshold, along many short lines: secants find where it is epsilon. An attack's next threshold is near its last,
    so each row begins at its own last. Works in memory of its own, since new memory costs more than what is done in it.
    """

    def __init__(self, origin: Float[Tensor, "n 3 h w"]) -> None:
        self._origin = origin.flatten(1)
        self._lowest, self._highest = -self._origin, 1 - self._origin
        self._left, self._length = torch.empty_like(self._origin[0]), torch.empty_like(self._origin[0])
        self._first = _Guess(0.0, float(origin[0].numel()))
        self._last = [self._first] * len(origin)

    def project(self, moved: Float[Tensor, "n 3 h w"], epsilon: float | Tensor) -> Float[Tensor, "n 3 h w"]:
        """Each picture moved back until its change is epsilon long, where it is longer: one epsilon, or one per row."""
        nearest = torch.empty_like(moved, memory_format=torch.contiguous_format).flatten(1)
        bounds = torch.as_tensor(epsilon, dtype=moved.dtype, device=moved.device).expand(len(moved)).tolist()
        for row, bound in enumerate(bounds):
            change = torch.sub(moved[row].flatten(), self._origin[row], out=nearest[row])
            self._last[row] = self._shrink(change, row, bound)
            torch.add(self._origin[row], self._left, out=nearest[row])
        return nearest.reshape(moved.shape)

    def _shrink(self, change: Tensor, row: int, epsilon: float) -> _Guess:
        """Leave so much of the change that it is epsilon long, or all where it is shorter."""
        threshold, slope = self._last[row].threshold, self._last[row].slope
        least, most = -math.inf, math.inf
        before: tuple[float, float] | None = None
        for step in range(MOST_STEPS):
            torch.clamp(change, -threshold, threshold, out=self._left)
            torch.sub(change, self._left, out=self._left).clamp_(self._lowest[row], self._highest[row])
            excess = torch.abs(self._left, out=self._length).sum().item() - epsilon
            if before is not None:
                slope = (before[1] - excess) / (threshold - before[0])
            if abs(excess) <= PRECISION * epsilon or (excess < 0 and threshold == 0):
                break
            least, most = (threshold, most) if excess > 0 else (least, threshold)
            following = max(0.0, threshold + excess / max(slope, 1.0))
            slow = step > FEW_STEPS and step % 2 and most < math.inf
            if not _same(following, threshold) and (slow or not least < following < most):
                following = (max(least, 0.0) + most) / 2
            if _same(following, threshold):
                break
            before, threshold = (threshold, excess), following
        # What was not finite leaves nothing to begin at.
        return _Guess(threshold, slope) if 0 < slope < math.inf else self._first


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=FLOAT32)
