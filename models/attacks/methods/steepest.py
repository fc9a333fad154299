"""The direction of steepest descent in each norm, and random points of its ball."""

import torch
from torch import Tensor
from torch.nn.functional import hardshrink

from models.attacks.geometry import PROJECT, Norm, Pictures, rows, size

SPARSITY = 0.01
"""Of an L1 step's values, how many move (Tramer & Boneh 2019, arxiv.org/abs/1904.13000)."""

SAMPLED = 2**14
ENOUGH = 32
"""Values of a sample above a threshold, below which it is too rough a guess."""
TINY, HAIR = 1e-30, 1e-6


def steepest(gradients: Pictures, norm: Norm) -> Pictures:
    """The step of size one (per value for linf; in length for l2 and l1) that a gradient is least tolerant of.

    Rows without a gradient stay where they are. In L1 one value would move alone; the largest hundredth share the step.
    """
    if norm == "linf":
        return gradients.sign()
    if norm == "l2":
        return gradients / rows(size(gradients, "l2").clamp(min=1e-30))
    step = signs_of_largest(gradients, torch.full((len(gradients),), SPARSITY * gradients[0].numel()))
    return step / rows(size(step, "l1").clamp(min=1.0))


def signs_of_largest(gradients: Pictures, counts: Tensor) -> Pictures:
    """The signs of about so many of each row's values, the largest in size, and 0 elsewhere; in small pictures exactly.

    By an evenly spread sample where that has enough of them: to select among all values takes a tenth of a pass. Its
    stride is odd, since networks that halve the resolution leave every other column a smaller gradient.
    """
    flat = gradients.flatten(1)
    sample = flat[:, :: flat.shape[1] // SAMPLED | 1]
    least = []
    for row, count in enumerate(counts.tolist()):
        expected = count * sample.shape[1] / flat.shape[1]
        values, wanted = (sample[row], expected) if expected >= ENOUGH else (flat[row], count)
        least.append(values.abs().topk(max(1, round(wanted)), sorted=False).values.amin())
    # On a CPU a comparison, and a product with what it says, take several times as long.
    return hardshrink(gradients / rows(torch.stack(least).clamp(min=TINY)), 1 - HAIR).sign_()


def random_point(start: Pictures, norm: Norm, epsilon: float, random: torch.Generator) -> Pictures:
    """A random point within epsilon of the start and in [0, 1]; the same change for each row, so none knows its batch.

    Linf: uniform in the ball. L2: uniform in direction, and as far as in a ball of this many dimensions: epsilon.
    L1: uniform in the ball, by exponential values of random sign.
    """
    shape = (1, *start.shape[1:])
    if norm == "linf":
        change = torch.rand(shape, generator=random) * 2 - 1
    elif norm == "l2":
        change = torch.randn(shape, generator=random)
        change /= change.norm()
    else:
        change = torch.empty(shape).exponential_(generator=random)
        change /= change.sum()
        change *= torch.randint(0, 2, shape, generator=random) * 2 - 1
    moved: Tensor = start + epsilon * change.to(start.device)
    return PROJECT[norm](moved, start, epsilon)
