"""What an attack is asked to reach, and its eye on the model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.attacks.geometry import Measure, PerRow, Pictures, rows
from models.attacks.objectives import Score, lead, log_odds
from models.preprocessing import Preprocess
from models.query import Objective, Passes, Progress, Query, Task

View = Callable[[Tensor], Tensor]
"""Something that may happen to a picture before the model sees it: pictures -> pictures in [0, 1], differentiable."""


@dataclass(frozen=True)
class Look:
    """What the model said of pictures, and where each pixel should go.

    `loss` is what the attack minimises; `gradients` are its gradients at the pictures' own resolution. `lead` is by how
    much the goal is reached, in logits, in the view where it is least so; `won` where that is enough.
    """

    pictures: Pictures
    logits: Float[Tensor, "n k"]
    loss: PerRow
    lead: PerRow
    won: Bool[Tensor, " n"]
    gradients: Pictures | None

    @property
    def slope(self) -> Pictures:
        """The gradients, of a look that asked for them."""
        assert self.gradients is not None, "this look asked for no gradients"
        return self.gradients


@dataclass(frozen=True)
class Goal:
    """Fool the model about rows of pictures: towards the labels (targeted) or away from them.

    The goal must lead by more than `confidence` logits, in each of the `views`. Where the `mask` is 0 no pixel is to
    change: gradients are 0 there, and an attack multiplies its noise by it. `scale` is the picture's shorter side over
    the model's: one change takes `scale` times the L2 norm there.
    """

    labels: Int[Tensor, " n"]
    targeted: bool
    preprocess: Preprocess
    passes: Passes = field(default_factory=Passes)
    confidence: float = 0.0
    mask: Float[Tensor, "1 1 h w"] | None = None
    views: tuple[View, ...] = ()
    scale: float = 1.0

    def toward(self, score: Score) -> Objective:
        """The per-row loss that an attack minimises: the score of the label, or its negative where it is a target."""
        sign = -1.0 if self.targeted else 1.0
        return lambda logits: sign * score(logits, self.labels)

    def look(self, pictures: Pictures, *, score: Score = log_odds, gradients: bool = True) -> Task[Look]:
        """Ask the model about pictures of any size in [0, 1]."""
        objective = self.toward(score)
        logits, losses, pulled = yield from self.ask(pictures, objective if gradients else None)
        return self.judge(pictures, logits, pulled, losses=losses, objective=objective)

    def ask(
        self, pictures: Pictures, objective: Objective | None
    ) -> Task[tuple[Float[Tensor, "v n k"], PerRow | None, Pictures | None]]:
        """The logits in each view, the objective's mean over the views, and its gradient."""
        wanted = pictures.detach().requires_grad_(objective is not None)
        seen = [self.preprocess(view(wanted)) for view in self.views or (_as_it_is,)]
        model_input = seen[0] if len(seen) == 1 else torch.cat(seen)
        answer = yield from self.passes.ask(Query(model_input.detach(), objective and _mean(objective, len(seen))))
        logits = answer.logits.reshape(len(seen), len(pictures), -1)
        if answer.losses is None:
            return logits, None, None
        losses = answer.losses if len(seen) == 1 else answer.losses.reshape(len(seen), -1).sum(dim=0)
        (pulled,) = torch.autograd.grad(model_input, wanted, answer.gradients)
        return logits, losses, self.masked(pulled)

    def judge(
        self,
        pictures: Pictures,
        logits: Float[Tensor, "v n k"],
        gradients: Pictures | None = None,
        *,
        losses: PerRow | None = None,
        objective: Objective | None = None,
    ) -> Look:
        """What logits that are known already mean for this goal; `losses` are the objective's, where it was asked."""
        if losses is None:
            losses = torch.stack([(objective or self.toward(log_odds))(each) for each in logits]).mean(dim=0)
        return Look(pictures.detach(), logits[0], losses, *self.reached(logits), gradients)

    def reached(self, logits: Float[Tensor, "v n k"]) -> tuple[PerRow, Bool[Tensor, " n"]]:
        """By how much the goal leads in the view where it does least, and whether that is enough."""
        leads = [lead(each, self.labels, targeted=self.targeted) for each in logits]
        least = leads[0] if len(leads) == 1 else torch.stack(leads).amin(dim=0)
        return least, least > self.confidence

    def probability(self, logits: Float[Tensor, "n k"]) -> float:
        """Of the first row's goal, its target or all but its label: the mean over rows of logits."""
        odds = log_odds(logits, self.labels[:1].expand(len(logits)))
        return torch.sigmoid(odds if self.targeted else -odds).mean().item()

    def masked(self, change: Tensor) -> Tensor:
        """The change, 0 where nothing may change."""
        return change if self.mask is None else change * self.mask


def _as_it_is(pictures: Tensor) -> Tensor:
    return pictures


def _mean(objective: Objective, views: int) -> Objective:
    """The objective of several views of the same rows, stacked: its sum is the sum over rows of the mean."""
    if views == 1:
        return objective
    return lambda logits: torch.cat([objective(each) / views for each in logits.chunk(views)])


class Best:
    """The best pictures so far, per row: a win before none, then the smaller change, or the lower loss.

    Rows that have not won are compared by their loss, and without a `measure` of change all are. Every attack updates
    one at each look, so that a task that is stopped midway has its best so far. `size` is how far a row that won was
    moved, and infinite in the others.
    """

    def __init__(self, goal: Goal, start: Pictures, look: Look, *, measure: Measure | None = None) -> None:
        self.goal, self.start, self.measure = goal, start, measure
        self.pictures, self.logits, self.loss, self.won = start, look.logits, look.loss, look.won
        self.size = self._size(look)

    def _size(self, look: Look) -> PerRow:
        lost = torch.full_like(look.loss, torch.inf)
        if self.measure is None or not look.won.any():
            return lost
        return torch.where(look.won, self.measure(look.pictures - self.start), lost)

    def update(self, look: Look) -> Bool[Tensor, " n"]:
        """Keep each row of the look that is better than what was kept, and tell which were."""
        lower, found = look.loss < self.loss, self._size(look)
        both = look.won & self.won & lower if self.measure is None else found < self.size
        better = (look.won & ~self.won) | both | (~look.won & ~self.won & lower)
        if better.all():  # of one picture, always; nothing is copied
            self.pictures, self.logits, self.loss = look.pictures, look.logits, look.loss
            self.won, self.size = look.won, found
        elif better.any():
            self.pictures = torch.where(rows(better), look.pictures, self.pictures)
            self.logits = torch.where(better.unsqueeze(1), look.logits, self.logits)
            self.loss, self.size = torch.where(better, look.loss, self.loss), torch.where(better, found, self.size)
            self.won = torch.where(better, look.won, self.won)
        return better

    def progress(self, step: int, steps: int) -> Progress:
        """A report whose score is the probability of the first row's goal: its target's, or all but its label's."""
        return Progress(step, steps, partial(self.goal.probability, self.logits[:1]), self.pictures[0])
