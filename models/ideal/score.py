"""The verdict on a drawn picture, of the 8-bit values that are returned."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.ideal.subject import OfClass, Subject
from models.ideal.views import FAMILIES
from models.preprocessing import preprocess, to_float
from models.query import Passes, Task
from models.spec import Spec


@dataclass(frozen=True)
class Score:
    """How well a picture shows its subject.

    `seen` is the probability of a class, or a channel's mean activation, by the preprocessing of /classify; `promised`
    that of the tensor which gradient ascent ended with, shown whole, before it became a picture. `rank` is the class's
    among all (1 is the top one), None for a channel. `families` are the means of `seen` under ways to look at the
    picture (models/ideal/views.py), of a channel as a share of its own; `robust` is their mean, `held_out` that of
    those which the method did not train on. `slope` is that of the amplitude spectrum, `variation` the total variation.
    """

    seen: float
    promised: float
    rank: int | None
    robust: float
    held_out: float
    families: Mapping[str, float]
    slope: float
    variation: float

    @property
    def weakest(self) -> str:
        """The family under which least is seen."""
        return min(self.families, key=lambda name: self.families[name])


def score(
    picture: UInt8[Tensor, "3 h w"],
    drawn: Float[Tensor, "1 3 s s"],
    subject: Subject,
    spec: Spec,
    passes: Passes,
    *,
    trained_on: frozenset[str],
) -> Task[Score]:
    """Judge the picture, and the tensor that it was rounded from (`drawn`, at the network's size), in 43 passes."""
    both = torch.cat([preprocess(to_float(picture).unsqueeze(0), spec), drawn])
    answer = yield from passes.ask(subject.ask(both, gradients=False))
    seen, promised = subject.seen(answer).tolist()
    families = {}
    for name, look in FAMILIES.items():
        looked = yield from passes.ask(subject.ask(look(picture, spec), gradients=False))
        mean = subject.seen(looked).mean().item()
        families[name] = mean if isinstance(subject, OfClass) else mean / (abs(seen) or 1.0)
    held_out = [value for name, value in families.items() if name not in trained_on]
    return Score(
        seen=seen,
        promised=promised,
        rank=_rank(answer.logits[0], subject.index) if isinstance(subject, OfClass) else None,
        robust=sum(families.values()) / len(families),
        held_out=sum(held_out) / len(held_out),
        families=families,
        slope=spectrum_slope(picture),
        variation=total_variation(to_float(picture)).item(),
    )


def _rank(logits: Float[Tensor, " k"], index: int) -> int:
    """By logits, which tell apart what probabilities of 0 do not; of equals the first one leads, as in /classify."""
    return 1 + int((logits > logits[index]).sum()) + int((logits[:index] == logits[index]).sum())


def total_variation(picture: Float[Tensor, "*n 3 h w"]) -> Float[Tensor, ""]:
    """Mean absolute difference of neighbours, across plus down."""
    across = (picture[..., 1:] - picture[..., :-1]).abs().mean()
    return across + (picture[..., 1:, :] - picture[..., :-1, :]).abs().mean()


@torch.no_grad()
def variation_gradient(picture: Float[Tensor, "*n 3 h w"]) -> Float[Tensor, "*n 3 h w"]:
    """That of `total_variation`, which autograd would give in three times the time."""
    gradient = torch.zeros_like(picture)
    for side in (-1, -2):
        rest = picture.shape[side] - 1
        sign = picture.diff(dim=side).sgn_()
        gradient.narrow(side, 1, rest).add_(sign, alpha=1 / sign.numel())
        gradient.narrow(side, 0, rest).sub_(sign, alpha=1 / sign.numel())
    return gradient


def spectrum_slope(picture: UInt8[Tensor, "3 h w"]) -> float:
    """How fast the amplitude of a picture falls with frequency: a in frequency ** -a; 0 for one that is flat.

    The mean over rings of equal frequency, of the grey picture under a Hann window, fitted on logarithmic axes from 4
    cycles across to a third of the side. White noise has 0, 90 of 100 photographs 0.95 to 1.8 (docs/ideals.md).
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
