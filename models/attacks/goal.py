"""What an attack is asked to reach, and its eye on the model."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.attacks.geometry import to_lattice
from models.attacks.objectives import away_from, fooled, towards
from models.preprocessing import Preprocess
from models.query import Objective, Passes, Progress, Query, Task


@dataclass(frozen=True)
class Look:
    """What the model said of pictures as an 8-bit file holds them, and where each pixel should go.

    `loss` is what the attack minimises; `gradients` are taken at the pictures' own resolution.
    """

    pictures: Float[Tensor, "n 3 h w"]
    logits: Float[Tensor, "n k"]
    loss: Float[Tensor, " n"]
    won: Bool[Tensor, " n"]
    gradients: Float[Tensor, "n 3 h w"] | None


@dataclass(frozen=True)
class Goal:
    """Fool the model about rows of pictures: towards the labels (targeted) or away from them.

    Every look rounds to the 8-bit lattice first and carries the gradient straight through the rounding, so what is
    seen, and judged, is what a file will hold; an attack needs no further pass to verify its result.
    """

    labels: Int[Tensor, " n"]
    targeted: bool
    preprocess: Preprocess
    passes: Passes = field(default_factory=Passes)

    @property
    def objective(self) -> Objective:
        """The per-row loss that an attack minimises."""
        return towards(self.labels) if self.targeted else away_from(self.labels)

    def look(self, pictures: Float[Tensor, "n 3 h w"], *, gradients: bool = True) -> Task[Look]:
        """Ask the model about pictures of any size in [0, 1]."""
        rounded = to_lattice(pictures).requires_grad_(gradients)
        model_input = self.preprocess(rounded)
        answer = yield from self.passes.ask(Query(model_input.detach(), self.objective if gradients else None))
        pulled = None
        if answer.gradients is not None:
            (pulled,) = torch.autograd.grad(model_input, rounded, answer.gradients)
        return self.judge(rounded.detach(), answer.logits, pulled)

    def judge(
        self, pictures: Float[Tensor, "n 3 h w"], logits: Float[Tensor, "n k"], gradients: Tensor | None = None
    ) -> Look:
        """What logits that are known already mean for this goal."""
        won = fooled(logits, self.labels, targeted=self.targeted)
        return Look(pictures, logits, self.objective(logits), won, gradients)


class Best:
    """The best pictures seen so far, per row: a win before none, then the lower loss."""

    def __init__(self, look: Look) -> None:
        self.pictures, self.logits, self.loss, self.won = look.pictures, look.logits, look.loss, look.won

    def update(self, look: Look) -> None:
        """Keep each row of the look that is better than what was kept."""
        better = (look.won & ~self.won) | ((look.won == self.won) & (look.loss < self.loss))
        self.pictures = torch.where(better.reshape(-1, 1, 1, 1), look.pictures, self.pictures)
        self.logits = torch.where(better.unsqueeze(1), look.logits, self.logits)
        self.loss = torch.where(better, look.loss, self.loss)
        self.won = torch.where(better, look.won, self.won)

    def progress(self, step: int, steps: int) -> Progress:
        """A report whose score is the probability of the first row's goal: its target's, or all but its label's."""
        return Progress(step, steps, torch.sigmoid(-self.loss[0]).item(), self.pictures[0])
