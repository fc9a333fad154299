"""Distances between pictures, the balls around them, and the 8-bit lattice that a file can hold."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from models.attacks.l1_ball import L1Ball

LEVEL = 1 / 255
"""One level of an 8-bit picture, in pixel values from 0 to 1."""
SAMPLE_SIZE = 2**13
"""About how many values are sampled to estimate the threshold of the largest values."""
MOST_VALUES = 4_000_000
"""Most values of the pictures that a task puts together in one query."""
Norm = Literal["linf", "l2", "l1", "l0"]
NORMS: tuple[Norm, ...] = ("linf", "l2", "l1", "l0")

Pictures = Float[Tensor, "n 3 h w"]
PerRow = Float[Tensor, " n"]
Measure = Callable[[Tensor], Tensor]
"""From changes [n, 3, h, w] to one number per row: the smaller, the better."""


def rows(values: Tensor) -> Tensor:
    """One value per row [n], reshaped to [n, 1, 1, 1] so that it can be multiplied with pictures."""
    return values.reshape(-1, 1, 1, 1)


def most_rows(pictures: Pictures) -> int:
    """How many pictures of this size one query may have, so that it takes little memory: one of a large photo."""
    return max(1, MOST_VALUES // pictures[0].numel())


def size(change: Pictures, norm: Norm) -> PerRow:
    """The norm of each row's change: linf, l2 and l1 in pixel values from 0 to 1; l0 counts pixels with any change."""
    if norm == "linf":
        return change.abs().amax(dim=(1, 2, 3))
    if norm == "l2":
        length: Tensor = torch.linalg.vector_norm(change, dim=(1, 2, 3))
        return length
    if norm == "l1":
        return change.abs().sum(dim=(1, 2, 3))
    # Comparisons take several times as long on a CPU. Float32 counts exactly one line of pixels, but not a picture.
    changed = change.abs().amax(dim=1).sign_()
    return changed.sum(dim=2).sum(dim=1, dtype=torch.float64).to(change.dtype)


def by(norm: Norm) -> Measure:
    """`size` in one norm."""
    return lambda change: size(change, norm)


def in_levels(norm: Norm) -> Measure:
    """`size` of changes on the lattice; of changes with the same Linf, that with the smaller L2 counts as smaller."""
    if norm != "linf":
        return by(norm)

    def measure(change: Tensor) -> Tensor:
        length = size(change, "l2")
        return (size(change, "linf") * 255).round() + length / (1 + length)

    return measure


def project_linf(moved: Pictures, origin: Pictures, epsilon: float | Tensor) -> Pictures:
    """The nearest picture in [0, 1] with no value further than epsilon from the origin's."""
    change = torch.clamp(moved - origin, -epsilon, epsilon)  # type: ignore[arg-type]  # both numbers, or both tensors
    return change.add_(origin).clamp_(0, 1)


def project_l2(moved: Pictures, origin: Pictures, epsilon: float | Tensor) -> Pictures:
    """The change shortened to the L2 norm epsilon if it is longer, then the picture clamped to [0, 1]."""
    change = moved - origin
    factor = (epsilon / size(change, "l2").clamp(min=1e-12)).clamp(max=1)
    return change.mul_(rows(factor)).add_(origin).clamp_(0, 1)


def project_l1(moved: Pictures, origin: Pictures, epsilon: float | Tensor) -> Pictures:
    """The nearest picture in [0, 1] whose change has an L1 norm of at most epsilon."""
    return L1Ball(origin).project(moved, epsilon)


def project_l0(moved: Pictures, origin: Pictures, epsilon: float | Tensor) -> Pictures:
    """Keep the epsilon most changed pixels of each row, by the L2 norm over channels, and undo all other changes."""
    change = moved.clamp(0, 1) - origin
    energy = change.square().sum(dim=1).flatten(1)
    counts = torch.as_tensor(epsilon, device=moved.device).expand(len(moved)).long().clamp(0, energy.shape[1])
    chosen = torch.zeros_like(energy)
    for row, count in enumerate(counts.tolist()):
        if count:
            chosen[row, largest(energy[row], count)] = 1
    return origin + change * chosen.reshape(len(moved), 1, *moved.shape[2:])


def largest(values: Float[Tensor, " n"], count: int) -> Int[Tensor, " count"]:
    """The indices of the `count` largest values; for few among many, a sample first rules out most of the others."""
    sample = values[:: len(values) // SAMPLE_SIZE | 1]
    enough = round(1.5 * count * len(sample) / len(values)) + 8
    if enough < len(sample) / 4:
        large = (values >= sample.topk(enough, sorted=False).values.amin()).nonzero().squeeze(1)
        if len(large) >= count:
            return large[values[large].topk(count, sorted=False).indices]
    return values.topk(count, sorted=False).indices


PROJECT: dict[Norm, Callable[[Tensor, Tensor, float | Tensor], Tensor]] = {
    "linf": project_linf,
    "l2": project_l2,
    "l1": project_l1,
    "l0": project_l0,
}


def projection(norm: Norm, origin: Pictures) -> Callable[[Pictures, float | Tensor], Pictures]:
    """The projection of one norm around one origin, for all steps of an attack.

    In L1 each projection begins its search at the last one's threshold.
    """
    return L1Ball(origin).project if norm == "l1" else lambda moved, epsilon: PROJECT[norm](moved, origin, epsilon)


def lattice_epsilon(epsilon: float) -> float:
    """The largest whole number of 8-bit levels within epsilon, in pixel values from 0 to 1: a file cannot use more."""
    return math.floor(epsilon * 255 + 1e-4) * LEVEL


def to_lattice(pixels: Pictures) -> Pictures:
    """The nearest values that an 8-bit file holds, bit for bit as they are after decoding."""
    return pixels.detach().clamp(0, 1).mul_(255).round_().div_(255)


def norms(picture: UInt8[Tensor, "3 h w"], origin: UInt8[Tensor, "3 h w"]) -> dict[str, float]:
    """linf, l2 and l1 of the change over all channels, in pixel values from 0 to 1; l0 counts changed pixels."""
    # Subtract whole levels: a difference of float32 values may be a little above 6/255 for 6 levels.
    change = (picture.int() - origin.int()).abs().cpu().double() / 255
    return {
        "linf": change.max().item(),
        "l2": change.square().sum().sqrt().item(),
        "l1": change.sum().item(),
        "l0": int(torch.count_nonzero(change.amax(dim=0))),
    }
