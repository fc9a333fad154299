"""What may happen to the returned file before the model sees it, for the attack to outlive."""

from dataclasses import dataclass

from torch import Tensor

from models.attacks.geometry import to_lattice
from models.attacks.goal import View


@dataclass(frozen=True)
class Survival:
    """One thing that may happen, by its name: an attack differentiates the `soft` views, the `real` are verified."""

    name: str
    soft: tuple[View, ...]
    real: tuple[View, ...]


def rounded(pictures: Tensor) -> Tensor:
    """Rounding to the lattice, its gradient carried straight through (Bengio et al. 2013, arxiv.org/abs/1308.3432)."""
    return pictures + (to_lattice(pictures) - pictures).detach()


def views(survive: tuple[Survival, ...], *, real: bool, rounded: bool = False) -> tuple[View, ...]:
    """All through which the picture must fool the model: itself, `rounded` where asked for, and the survivals' views."""
    itself: tuple[View, ...] = (_rounded,) if rounded else (_as_it_is,)
    return itself + tuple(view for each in survive for view in (each.real if real else each.soft))


_rounded = rounded


def _as_it_is(pictures: Tensor) -> Tensor:
    return pictures
