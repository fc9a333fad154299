"""The score of an ideal picture, measured on the 8-bit values that are returned."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.ideal.subject import ClassSubject, Subject
from models.ideal.views import FAMILIES
from models.preprocessing import preprocess, to_float
from models.query import Passes, Task
from models.spec import Spec

ROWS = 8
"""Largest number of views in a query. It is the same on every machine, since it decides how sums are rounded."""


@dataclass(frozen=True)
class Score:
    """How strongly the network recognises the subject in the picture.

    `strength` is the probability of the class, or the mean activation of the channel, with the preprocessing of
    /classify. `promised` is the same for the tensor at the end of gradient ascent, before it was rounded to 8 bits and
    cropped. `rank` is the rank of the class by probability (1 is the top), None for a channel. `families` has the mean
    strength in each family of views of the picture (models/ideal/views.py), for a channel divided by `strength`.
    `robust` is the mean over all families, `held_out` that over the families that were not part of the ascent. `slope`
    is the spectral slope of the amplitude spectrum, `variation` the total variation.
    """

    strength: float
    promised: float
    rank: int | None
    robust: float
    held_out: float
    families: Mapping[str, float]
    slope: float
    variation: float

    @property
    def weakest(self) -> str:
        """The family of views in which the subject is recognised least."""
        return min(self.families, key=lambda name: self.families[name])


def score(
    picture: UInt8[Tensor, "3 h w"],
    unrounded: Float[Tensor, "1 3 i j"],
    subject: Subject,
    spec: Spec,
    passes: Passes,
    *,
    trained_on: frozenset[str],
) -> Task[Score]:
    """Score the picture, and the tensor from which it was rounded (`unrounded`, at the network's input size).

    `trained_on` names the families of views that were part of the ascent. Costs 43 passes without gradients, in 6
    queries.
    """
    own = torch.cat([preprocess(to_float(picture).unsqueeze(0), spec), unrounded])
    looks = [own, *(make_views(picture, spec) for make_views in FAMILIES.values())]
    strengths, rank = [], None
    for rows in torch.cat(looks).split(ROWS):
        answer = yield from passes.ask(subject.query(rows, gradients=False))
        strengths.append(subject.strength(answer))
        if len(strengths) == 1 and isinstance(subject, ClassSubject):
            rank = _rank(answer.logits[0], subject.index)
    of_own, *of_views = torch.cat(strengths).split([len(look) for look in looks])
    strength, promised = of_own.tolist()
    unit = 1.0 if isinstance(subject, ClassSubject) else abs(strength) or 1.0
    families = {name: part.mean().item() / unit for name, part in zip(FAMILIES, of_views, strict=True)}
    held_out = [value for name, value in families.items() if name not in trained_on]
    return Score(
        strength=strength,
        promised=promised,
        rank=rank,
        robust=sum(families.values()) / len(families),
        held_out=sum(held_out) / len(held_out),
        families=families,
        slope=spectrum_slope(picture),
        variation=total_variation(to_float(picture)).item(),
    )


def _rank(logits: Float[Tensor, " k"], index: int) -> int:
    """The rank by logits, which differ where probabilities are 0; of equal logits the first leads, as in /classify."""
    return 1 + int((logits > logits[index]).sum()) + int((logits[:index] == logits[index]).sum())


def total_variation(picture: Float[Tensor, "*n 3 h w"]) -> Float[Tensor, ""]:
    """Mean absolute difference of neighbouring pixels across, plus that of neighbouring pixels down."""
    across = (picture[..., 1:] - picture[..., :-1]).abs().mean()
    return across + (picture[..., 1:, :] - picture[..., :-1, :]).abs().mean()


@torch.no_grad()
def variation_gradient(picture: Float[Tensor, "*n 3 h w"]) -> Float[Tensor, "*n 3 h w"]:
    """The gradient of `total_variation`, in a third of the time that autograd takes."""
    gradient = torch.zeros_like(picture)
    for dim in (-1, -2):
        length = picture.shape[dim] - 1
        sign = picture.diff(dim=dim).sgn_()
        gradient.narrow(dim, 1, length).add_(sign, alpha=1 / sign.numel())
        gradient.narrow(dim, 0, length).sub_(sign, alpha=1 / sign.numel())
    return gradient


def spectrum_slope(picture: UInt8[Tensor, "3 h w"]) -> float:
    """The spectral slope a: the amplitude of the picture falls as frequency ** -a; 0 for a uniform picture.

    It is fitted on logarithmic axes to the mean amplitude over rings of equal frequency, of the grey picture under a
    Hann window, from 4 cycles per side to a third of the side. White noise has 0, and 90 of 100 photographs have 0.95
    to 1.8 (docs/ideals.md).
    """
    side = min(picture.shape[1:])
    grey = to_float(picture).mean(dim=0)[:side, :side].cpu().double()
    window = torch.hann_window(side, periodic=False, dtype=torch.float64)
    amplitude = torch.fft.fft2((grey - grey.mean()) * window * window.unsqueeze(1)).abs()
    line = torch.fft.fftfreq(side, d=1 / side, dtype=torch.float64)
    ring = torch.sqrt(line**2 + line.unsqueeze(1) ** 2).round().long().flatten()
    mean = torch.bincount(ring, amplitude.flatten()) / torch.bincount(ring)
    cycles = torch.arange(4, max(7, side // 3), dtype=torch.float64)
    values = mean[4 : 4 + len(cycles)]
    if len(values) < 3 or values.min() <= 1e-9:
        return 0.0
    x, y = cycles.log()[: len(values)], values.log()
    return -float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
