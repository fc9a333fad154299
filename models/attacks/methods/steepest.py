"""The direction of steepest ascent of a gradient in each norm, and random points of a ball."""

import torch
from torch import Tensor
from torch.nn.functional import hardshrink

from models.attacks.geometry import PROJECT, Norm, Pictures, rows, size

SPARSITY = 0.01
"""Fraction of the values that move in an L1 step (Tramer & Boneh 2019, arxiv.org/abs/1904.13000)."""

SAMPLE_SIZE = 2**14
"""About how many values of a row are sampled to estimate the threshold of its largest values."""
ENOUGH = 32
"""Smallest number of sampled values above the threshold; with fewer the estimate is too rough: all values are used."""
TINY = 1e-30
"""Smallest threshold, so that nothing is divided by 0."""
TOLERANCE = 1e-6
"""Relative error of float32 by which a value at the threshold may be below it."""


def steepest(gradients: Pictures, norm: Norm) -> Pictures:
    """The direction of norm 1 in which a linear function with these gradients grows most, for each row.

    It is 0 in rows without a gradient. In L1 one value alone would move; here the hundredth of the values with the
    largest gradients share the step.
    """
    if norm == "linf":
        return gradients.sign()
    if norm == "l2":
        return gradients / rows(size(gradients, "l2").clamp(min=1e-30))
    step = signs_of_largest(gradients, torch.full((len(gradients),), SPARSITY * gradients[0].numel()))
    return step / rows(size(step, "l1").clamp(min=1.0))


def signs_of_largest(gradients: Pictures, counts: Tensor) -> Pictures:
    """The signs of the about `counts` values of largest magnitude per row (exactly so in small pictures), 0 elsewhere.

    In large pictures the threshold comes from an evenly spread sample: to sort all values takes a tenth of a pass. The
    sample's stride is odd, since networks that halve the resolution give every other column a smaller gradient.
    """
    flat = gradients.flatten(1)
    sample = flat[:, :: flat.shape[1] // SAMPLE_SIZE | 1]
    thresholds = []
    for row, count in enumerate(counts.tolist()):
        expected = count * sample.shape[1] / flat.shape[1]
        values, largest = (sample[row], expected) if expected >= ENOUGH else (flat[row], count)
        thresholds.append(values.abs().topk(max(1, round(largest)), sorted=False).values.amin())
    # On a CPU, a comparison and a product with its result take several times as long.
    return hardshrink(gradients / rows(torch.stack(thresholds).clamp(min=TINY)), 1 - TOLERANCE).sign_()


def random_point(start: Pictures, norm: Norm, epsilon: float, random: torch.Generator) -> Pictures:
    """Random points within epsilon of the start and in [0, 1], with the same change for each row of the batch.

    Linf: uniform in the ball. L2: a uniform direction of length epsilon, since in so many dimensions nearly all of a
    ball is at its surface. L1: exponential values of random sign, divided by their sum: uniform on the ball's surface.
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
