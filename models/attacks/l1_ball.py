"""Projection onto the intersection of an L1 ball and [0, 1] (Croce & Hein 2021, arxiv.org/abs/2103.01208)."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

PRECISION = 1e-5
"""Share of epsilon by which the L1 norm of a projected change may differ from it."""
FLOAT32 = 2**-24
"""Relative difference below which two thresholds are the same in float32."""
FEW_STEPS = 6
"""Steps after which every other one halves the range, since secants from far away may advance very slowly."""
MOST_STEPS = 100
"""Largest number of steps of one projection; few of them are ever needed."""


@dataclass(frozen=True)
class _Guess:
    """A threshold, and its slope: the decrease of the L1 norm per unit of threshold, at most one per value."""

    threshold: float
    slope: float


class L1Ball:
    """The L1 balls around pictures, as far as they lie in [0, 1].

    All values of a change shrink by one threshold, and are clamped to what [0, 1] allows. The L1 norm that is left is a
    piecewise linear function that falls with the threshold; the secant method finds where it is epsilon. The next
    threshold of an attack is near its last one, so each row begins there. Buffers are reused, since allocating them
    takes longer than the computation.
    """

    def __init__(self, origin: Float[Tensor, "n 3 h w"]) -> None:
        self._origin = origin.flatten(1)
        self._lowest, self._highest = -self._origin, 1 - self._origin
        self._left, self._length = torch.empty_like(self._origin[0]), torch.empty_like(self._origin[0])
        self._first = _Guess(0.0, float(origin[0].numel()))
        self._last = [self._first] * len(origin)

    def project(self, moved: Float[Tensor, "n 3 h w"], epsilon: float | Tensor) -> Float[Tensor, "n 3 h w"]:
        """The nearest pictures whose change has an L1 norm of at most epsilon, which is one number or one per row."""
        nearest = torch.empty_like(moved, memory_format=torch.contiguous_format).flatten(1)
        bounds = torch.as_tensor(epsilon, dtype=moved.dtype, device=moved.device).expand(len(moved)).tolist()
        for row, bound in enumerate(bounds):
            change = torch.sub(moved[row].flatten(), self._origin[row], out=nearest[row])
            self._last[row] = self._shrink(change, row, bound)
            torch.add(self._origin[row], self._left, out=nearest[row])
        return nearest.reshape(moved.shape)

    def _shrink(self, change: Tensor, row: int, epsilon: float) -> _Guess:
        """Shrink the change to the L1 norm epsilon, into the buffer `_left`; a shorter change is only clamped."""
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
        # Values that were not finite give no useful guess.
        return _Guess(threshold, slope) if 0 < slope < math.inf else self._first


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=FLOAT32)
