"""Distances between pictures, the balls around them, and the 8-bit lattice that a file can hold."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from models.attacks.l1_ball import L1Ball

LEVEL = 1 / 255
SAMPLED = 2**13
Norm = Literal["linf", "l2", "l1", "l0"]
NORMS: tuple[Norm, ...] = ("linf", "l2", "l1", "l0")

Pictures = Float[Tensor, "n 3 h w"]
PerRow = Float[Tensor, " n"]
Measure = Callable[[Tensor], Tensor]
"""From changes [n, 3, h, w] to one figure per row: the smaller, the better."""


def rows(values: Tensor) -> Tensor:
    """One value per row, [n], shaped to be multiplied with pictures, [n, 1, 1, 1]."""
    return values.reshape(-1, 1, 1, 1)


def size(change: Pictures, norm: Norm) -> PerRow:
    """How far each row was moved: linf, l2 and l1 in pixel units; l0 counts pixels that changed in any channel."""
    if norm == "linf":
        return change.abs().amax(dim=(1, 2, 3))
    if norm == "l2":
        length: Tensor = torch.linalg.vector_norm(change, dim=(1, 2, 3))
        return length
    if norm == "l1":
        return change.abs().sum(dim=(1, 2, 3))
    # Comparisons take several times as long on a CPU. Float32 counts a row's pixels exactly, but not a picture's.
    changed = change.abs().amax(dim=1).sign_()
    return changed.sum(dim=2).sum(dim=1, dtype=torch.float64).to(change.dtype)


def by(norm: Norm) -> Measure:
    """`size` in one norm."""
    return lambda change: size(change, norm)


def in_levels(norm: Norm) -> Measure:
    """`size` of changes on the lattice, where many share one Linf: of those the smaller L2 counts as smaller."""
    if norm != "linf":
        return by(norm)

    def measure(change: Tensor) -> Tensor:
        length = size(change, "l2")
        return (size(change, "linf") * 255).round() + length / (1 + length)

    return measure


def project_linf(moved: Pictures, origin: Pictures, epsilon: float | Tensor) -> Pictures:
    """The nearest picture in [0, 1] of which no value is further than epsilon from the origin's."""
    change = torch.clamp(moved - origin, -epsilon, epsilon)  # type: ignore[arg-type]  # numbers both, or tensors both
    return change.add_(origin).clamp_(0, 1)


def project_l2(moved: Pictures, origin: Pictures, epsilon: float | Tensor) -> Pictures:
    """The change shortened to the length epsilon where it is longer, then cut to [0, 1]."""
    change = moved - origin
    factor = (epsilon / size(change, "l2").clamp(min=1e-12)).clamp(max=1)
    return change.mul_(rows(factor)).add_(origin).clamp_(0, 1)


def project_l1(moved: Pictures, origin: Pictures, epsilon: float | Tensor) -> Pictures:
    """The nearest picture in [0, 1] whose change has the L1 norm epsilon at most."""
    return L1Ball(origin).project(moved, epsilon)


def project_l0(moved: Pictures, origin: Pictures, epsilon: float | Tensor) -> Pictures:
    """The epsilon most changed pixels of each row, by the L2 norm over channels; all others as they were."""
    change = moved.clamp(0, 1) - origin
    energy = change.square().sum(dim=1).flatten(1)
    counts = torch.as_tensor(epsilon, device=moved.device).expand(len(moved)).long().clamp(0, energy.shape[1])
    kept = torch.zeros_like(energy)
    for row, count in enumerate(counts.tolist()):
        if count:
            kept[row, largest(energy[row], count)] = 1
    return origin + change * kept.reshape(len(moved), 1, *moved.shape[2:])


def largest(values: Float[Tensor, " n"], count: int) -> Int[Tensor, " count"]:
    """Where the `count` largest values are: of few among many, looked for among those that a sample says are large."""
    sample = values[:: len(values) // SAMPLED | 1]
    enough = round(1.5 * count * len(sample) / len(values)) + 8
    if enough < len(sample) / 4:
        some = (values >= sample.topk(enough, sorted=False).values.amin()).nonzero().squeeze(1)
        if len(some) >= count:
            return some[values[some].topk(count, sorted=False).indices]
    return values.topk(count, sorted=False).indices


PROJECT: dict[Norm, Callable[[Tensor, Tensor, float | Tensor], Tensor]] = {
    "linf": project_linf,
    "l2": project_l2,
    "l1": project_l1,
    "l0": project_l0,
}


def projection(norm: Norm, origin: Pictures) -> Callable[[Pictures, float | Tensor], Pictures]:
    """`PROJECT` of one norm about one origin, for every step of an attack: in L1 each begins where the last ended."""
    return L1Ball(origin).project if norm == "l1" else lambda moved, epsilon: PROJECT[norm](moved, origin, epsilon)


def lattice_epsilon(epsilon: float) -> float:
    """The largest whole number of 8-bit levels within epsilon, in pixel units: a file cannot use the rest."""
    return math.floor(epsilon * 255 + 1e-4) * LEVEL


def to_lattice(pixels: Pictures) -> Pictures:
    """The nearest pixels that an 8-bit file holds; what a decoder gives back, bit for bit."""
    return pixels.detach().clamp(0, 1).mul_(255).round_().div_(255)


def norms(picture: UInt8[Tensor, "3 h w"], origin: UInt8[Tensor, "3 h w"]) -> dict[str, float]:
    """linf, l2 and l1 of the change in pixel units over all pixels and channels; l0 counts changed pixels."""
    # Whole levels first: float32 would put 6/255 above 6/255.
    change = (picture.int() - origin.int()).abs().cpu().double() / 255
    return {
        "linf": change.max().item(),
        "l2": change.square().sum().sqrt().item(),
        "l1": change.sum().item(),
        "l0": int(torch.count_nonzero(change.amax(dim=0))),
    }
