"""Ways to turn a float attack's change into 8-bit pictures, each with one strength that the search can adjust."""

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from models.attacks.geometry import LEVEL, Measure, Norm, Pictures, rows, size, to_lattice

STRONGEST = 2.0**20
"""The largest strength that is tried; strength 1 is the float attack's own change."""
PRECISION = 0.01
"""Relative precision to which a strength is bisected."""
SAMPLED_VALUES = 1_000_000
"""About how many values of a picture are measured for a first guess, if the picture has several times as many."""


@runtime_checkable  # so that tests can check it where it is a parameter
class Rounding(Protocol):
    """Maps a strength above 0 to pictures on the lattice; a larger strength gives pictures further from the start."""

    def __call__(self, strength: float, row_step: int = 1) -> Pictures:
        """The pictures, or only every `row_step`-th row of pixels of them."""
        ...


def roundings_of(start: Pictures, change: Tensor, gradients: Tensor, norm: Norm) -> list[Rounding]:
    """The roundings that suit the norm, for a float attack's change and the loss's gradients at its end.

    The first is always `scaled`.
    """
    if norm == "l0":
        return [scaled(start, change), fewest(start, change, gradients)]
    if norm == "l1":
        return [scaled(start, change), along(start, change, gradients), fewest(start, change, gradients)]
    # The float change is the smallest one known, so in a file its Linf norm is the next whole level.
    levels = max(1, math.ceil(change.abs().amax().item() * 255 - 1e-3))
    steepest = -unit_l2(gradients) * rows(size(change, "l2"))
    return [
        scaled(start, change),
        along(start, change, gradients),
        scaled(start, steepest),
        *([capped(start, gradients, levels)] if norm == "linf" else []),
    ]


def scaled(start: Pictures, change: Tensor) -> Rounding:
    """The change times the strength, rounded to the nearest level.

    If the change has the gradient's direction, no picture on the lattice at the same L2 lowers a linear loss more.
    """

    def rounding(strength: float, row_step: int = 1) -> Pictures:
        return to_lattice(torch.add(start[..., ::row_step, :], change[..., ::row_step, :], alpha=strength))

    return rounding


def along(start: Pictures, change: Tensor, gradients: Tensor) -> Rounding:
    """The change times the strength, rounded up or down to the level that lowers the loss."""
    # 1e-3: a value that differs from a level by an error of float32 alone keeps that level.
    lower = (0.5 - 1e-3) * LEVEL * gradients.sign()

    def rounding(strength: float, row_step: int = 1) -> Pictures:
        moved = torch.add(start[..., ::row_step, :], change[..., ::row_step, :], alpha=strength)
        return to_lattice(moved.sub_(lower[..., ::row_step, :]))

    return rounding


def capped(start: Pictures, gradients: Tensor, levels: int) -> Rounding:
    """A step against the gradient, clamped to `levels`; at strength 1 only the value of largest gradient gets there."""
    cap = levels * LEVEL
    step = -cap / max(gradients.abs().amax().item(), 1e-30) * gradients

    def rounding(strength: float, row_step: int = 1) -> Pictures:
        change = (strength * step[..., ::row_step, :]).clamp_(-cap, cap)
        return to_lattice(change.add_(start[..., ::row_step, :]))

    return rounding


def fewest(start: Pictures, change: Tensor, gradients: Tensor) -> Rounding:
    """The change of the most important pixels: at strength s, of all with at least 1/s of the largest importance."""
    importance = (change * gradients).abs().sum(dim=1, keepdim=True)
    largest = importance.amax().item()

    def rounding(strength: float, row_step: int = 1) -> Pictures:
        chosen = importance[..., ::row_step, :] >= max(largest / strength, 1e-30)
        return to_lattice(start[..., ::row_step, :] + change[..., ::row_step, :] * chosen)

    return rounding


def unit_l2(gradients: Tensor) -> Tensor:
    """Each row divided by its L2 norm."""
    return gradients / rows(size(gradients, "l2").clamp(min=1e-30))


def strongest(rounding: Rounding, start: Pictures, measure: Measure, limit: float) -> float:
    """The largest strength, to 1 %, whose change measures less than the limit; 0 if there is none. Asks no model.

    Measuring a photo of twelve megapixels takes half a second, so some of the rows of a large photo give a first guess.
    """

    def measured(strength: float, row_step: int = 1) -> float:
        return measure(rounding(strength, row_step) - start[..., ::row_step, :]).item()

    guess, factor, row_step = 1.0, 2.0, start.numel() // SAMPLED_VALUES
    if row_step > 1 and (part := measured(guess, row_step)) and (whole := measured(guess)):
        sampled = _last_below(limit * part / whole, lambda strength: measured(strength, row_step), guess, factor)
        if 1 / STRONGEST < sampled < STRONGEST:  # otherwise these rows do not reach the limit
            guess, factor = sampled, 1 + 2 * PRECISION
    return _last_below(limit, measured, guess, factor)


def _last_below(limit: float, measured: Callable[[float], float], strength: float, factor: float) -> float:
    """The largest strength that measures below the limit; 0 if only a strength that changes nothing does.

    Moves away from the guess by a factor that is squared each time, and then bisects.
    """
    above = measured(strength) >= limit
    factor = 1 / factor if above else factor
    while 1 / STRONGEST < strength < STRONGEST and (measured(strength * factor) >= limit) == above:
        strength, factor = strength * factor, factor**2
    low, high = sorted((strength, strength * factor))
    while high > (1 + PRECISION) * low:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if measured(middle) < limit else (low, middle)
    return low if 0 < measured(low) < limit else 0.0
