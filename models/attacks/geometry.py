"""Distances between pictures, the balls around them, and the 8-bit lattice that a file can hold."""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

LEVEL = 1 / 255


def project_linf(
    moved: Float[Tensor, "n 3 h w"], origin: Float[Tensor, "n 3 h w"], epsilon: float
) -> Float[Tensor, "n 3 h w"]:
    """The nearest picture in [0, 1] of which no value is further than epsilon from the origin's."""
    return moved.clamp(origin - epsilon, origin + epsilon).clamp(0, 1)


def lattice_epsilon(epsilon: float) -> float:
    """The largest whole number of 8-bit levels within epsilon, in pixel units: a file cannot use the rest."""
    return math.floor(epsilon * 255 + 1e-4) * LEVEL


def to_lattice(pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """The nearest pixels that an 8-bit file holds; what a decoder gives back, bit for bit."""
    return (pixels.detach().clamp(0, 1) * 255).round() / 255


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
