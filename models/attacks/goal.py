"""What an attack is to reach (`Goal`), the model's answer about pictures (`Look`), and the best result (`Best`)."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from models.attacks.geometry import Measure, PerRow, Pictures, rows, to_lattice
from models.attacks.objectives import Score, lead, log_odds, margin
from models.preprocessing import Preprocess
from models.query import ClassProbability, LabelObjective, Objective, Passes, Progress, Query, Result, Task

TOP = 5
"""Number of the most probable classes that a report of progress names."""
View = Callable[[Tensor], Tensor]
"""Something that may happen to a picture before the model sees it: pictures -> pictures in [0, 1], differentiable."""


@dataclass(frozen=True)
class Look:
    """What the model answered about pictures [n, 3, h, w] in [0, 1].

    `logits` are those of the first view. `loss` is what the attack minimises, and `optional_gradients` holds its
    gradients at the pictures' own resolution, None if the look was made without. `lead` is by how many logits the goal
    leads, in the view where it leads least; `won` says whether that is enough.
    """

    pictures: Pictures
    logits: Float[Tensor, "n k"]
    loss: PerRow
    lead: PerRow
    won: Bool[Tensor, " n"]
    optional_gradients: Pictures | None

    @property
    def gradients(self) -> Pictures:
        """The gradients of a look that was made with them; an AssertionError if it was not."""
        assert self.optional_gradients is not None, "this look was made without gradients"
        return self.optional_gradients

    @cached_property
    def verdicts(self) -> list[tuple[float, bool]]:
        """The loss of each row and whether it won, read from the device in one piece: each read waits for it."""
        losses, wins = torch.stack((self.loss, self.won)).tolist()
        return [(loss, bool(won)) for loss, won in zip(losses, wins, strict=True)]

    def row(self, number: int) -> "Look":
        """The look at one of the pictures alone."""
        one = slice(number, number + 1)
        gradients = None if self.optional_gradients is None else self.optional_gradients[one]
        return Look(self.pictures[one], self.logits[one], self.loss[one], self.lead[one], self.won[one], gradients)


@dataclass(frozen=True)
class Goal:
    """Make the model take each row for its label (targeted), or for any other class (untargeted).

    The goal must lead by more than `confidence` logits, in each of the `views`. Where the `mask` is 0 no pixel may
    change: gradients are 0 there, and an attack multiplies its noise by the mask. `scale` is the picture's shorter side
    divided by the model's; a change that looks the same has an L2 norm `scale` times as large at the picture's size.
    `rows` is how many pictures of one query pay off. With `rounds` the model is asked about the pictures rounded to the
    lattice, and the gradients pass straight through the rounding (Bengio et al. 2013, arxiv.org/abs/1308.3432).
    """

    labels: Int[Tensor, " n"]
    targeted: bool
    preprocess: Preprocess
    passes: Passes = field(default_factory=Passes)
    confidence: float = 0.0
    mask: Float[Tensor, "1 1 h w"] | None = None
    views: tuple[View, ...] = ()
    scale: float = 1.0
    rows: int = 4
    rounds: bool = False

    def repeated(self, count: int) -> "Goal":
        """The goal of one row for `count` pictures, such as the same change at several strengths."""
        return replace(self, labels=self.labels.expand(count))

    def objective(self, score: Score) -> LabelObjective:
        """The per-row loss that an attack minimises: the score of the label, or its negative where it is a target."""
        return LabelObjective(score, self.labels, negative=self.targeted)

    def look(self, pictures: Pictures, *, score: Score = log_odds, gradients: bool = True) -> Task[Look]:
        """Ask the model about pictures of any size in [0, 1]."""
        objective = self.objective(score)
        logits, losses, gradient = yield from self.ask(pictures, objective if gradients else None)
        return self.judge(pictures, logits, gradient, losses=losses, objective=objective)

    def ask(
        self, pictures: Pictures, objective: Objective | None
    ) -> Task[tuple[Float[Tensor, "v n k"], PerRow | None, Pictures | None]]:
        """The logits in each view, the objective's mean over the views, and its gradient at the pictures.

        Without an objective the last two are None.
        """
        if self.rounds:
            pictures = rounded(pictures)
        leaf = pictures.detach().requires_grad_(objective is not None)
        inputs = [self.preprocess(view(leaf)) for view in self.views] or [self.preprocess(leaf)]
        model_input = inputs[0] if len(inputs) == 1 else torch.cat(inputs)
        answer = yield from self.passes.ask(Query(model_input.detach(), objective and _mean(objective, len(inputs))))
        logits = answer.logits.view(len(inputs), pictures.shape[0], -1)
        if answer.losses is None or answer.gradients is None:
            return logits, None, None
        losses = answer.losses if len(inputs) == 1 else answer.losses.reshape(len(inputs), -1).sum(dim=0)
        if model_input is leaf:  # of the model's own size, and looked at as it is
            return logits, losses, self.masked(answer.gradients)
        (gradient,) = torch.autograd.grad(model_input, leaf, answer.gradients)
        return logits, losses, self.masked(gradient)

    def judge(
        self,
        pictures: Pictures,
        logits: Float[Tensor, "v n k"],
        gradients: Pictures | None = None,
        *,
        losses: PerRow | None = None,
        objective: LabelObjective | None = None,
    ) -> Look:
        """The look for logits that are known already.

        Without `losses` they are computed from the objective; the default objective is the log-odds of the label.
        """
        objective = objective or self.objective(log_odds)
        if losses is None:
            losses = torch.stack([objective(logits_of_view) for logits_of_view in logits.unbind()]).mean(dim=0)
        if objective.score is margin and logits.shape[0] == 1:
            least = -losses
            won = least > self.confidence
        else:
            least, won = self.measure_lead(logits)
        return Look(pictures.detach(), logits[0], losses, least, won, gradients)

    def measure_lead(self, logits: Float[Tensor, "v n k"]) -> tuple[PerRow, Bool[Tensor, " n"]]:
        """By how many logits the goal leads in the view where it leads least, and whether that is enough."""
        leads = [lead(logits_of_view, self.labels, targeted=self.targeted) for logits_of_view in logits.unbind()]
        least = leads[0] if len(leads) == 1 else torch.stack(leads).amin(dim=0)
        return least, least > self.confidence

    def probability(self, logits: Float[Tensor, "n k"]) -> float:
        """The probability of the first row's goal (its target, or all classes but its label), mean over the logits."""
        odds = log_odds(logits, self.labels[:1].expand(len(logits)))
        return torch.sigmoid(odds if self.targeted else -odds).mean().item()

    def class_probabilities(self, logits: Float[Tensor, "n k"]) -> list[ClassProbability]:
        """The TOP most probable classes, best first, and after them the first row's label if it is not among them.

        The probabilities are means over the logits.
        """
        probabilities = logits.softmax(dim=1).mean(dim=0).cpu()
        indices = probabilities.argsort(descending=True, stable=True)[:TOP].tolist()
        label = int(self.labels[0])
        shown = indices if label in indices else [*indices, label]
        return [(index, probabilities[index].item()) for index in shown]

    def masked(self, change: Tensor) -> Tensor:
        """The change, set to 0 where nothing may change."""
        return change if self.mask is None else change * self.mask


def rounded(pictures: Pictures) -> Pictures:
    """The pictures rounded to the lattice, as the sum of a picture and the change that rounding makes."""
    return to_lattice(pictures).sub_(pictures).add_(pictures)


def _mean(objective: Objective, views: int) -> Objective:
    """The objective for stacked logits of several views: each loss is divided by `views`, so that sums are means."""
    if views == 1:
        return objective
    return lambda logits: torch.cat([objective(logits_of_view) / views for logits_of_view in logits.chunk(views)])


def _first(pictures: Pictures) -> Float[Tensor, "3 h w"]:
    return pictures[0]


def _of_first_row(read: Callable[[Tensor], Result], logits: Float[Tensor, "n k"]) -> Result:
    return read(logits[:1])


@dataclass(frozen=True)
class Patch:
    """A square to print, and the share of random placements on which it wins; none of them was used in its training.

    `success_rate` is None if the attack was stopped before it was measured.
    """

    square: UInt8[Tensor, "3 side side"]
    success_rate: float | None


class Best:
    """The best picture so far of each row: one that wins is better than one that does not.

    Of two that win, the one with the smaller change is better; of two that do not win, the one with the lower loss.
    Without a `measure` of change the loss decides in both cases. Every attack updates one `Best` after each look, so
    that a task that is stopped midway has a result. `size` is the measured change of the rows that won, infinite in
    the others. `start_lead` is the goal's lead at the start. `patch` is the square of an attack that trains one.
    """

    def __init__(self, goal: Goal, start: Pictures, look: Look, *, measure: Measure | None = None) -> None:
        self.goal, self.start, self.measure = goal, start, measure
        self.pictures, self.logits, self.loss, self.won = start, look.logits, look.loss, look.won
        self.unmeasured = torch.full_like(look.loss, torch.inf)
        self.size, self.start_lead = self._size(look), look.lead
        self._ranks = self._rank(look, self.size)
        self.patch: Patch | None = None
        self.confirmed: bool | None = None
        self._origin: Best | None = None

    @property
    def wins(self) -> list[bool]:
        """Whether each row has won, known without waiting for the device."""
        return [not lost for lost, _ in self._ranks]

    @property
    def all_won(self) -> bool:
        """Whether all rows have won, known without waiting for the device."""
        return all(self.wins)

    def _size(self, look: Look) -> PerRow:
        wins = [won for _, won in look.verdicts]
        if self.measure is None or not any(wins):
            return self.unmeasured
        size = self.measure(look.pictures - self.start)
        return size if all(wins) else torch.where(look.won, size, self.unmeasured)

    def _rank(self, look: Look, size: PerRow) -> list[tuple[bool, float]]:
        """Whether each row lost, and its loss or, if it won, the size of its change: the lowest pair is the best."""
        sizes = size.tolist() if size is not self.unmeasured else [math.inf] * len(look.verdicts)
        by_size = self.measure is not None
        return [
            (not won, size if won and by_size else loss) for (loss, won), size in zip(look.verdicts, sizes, strict=True)
        ]

    def update(self, look: Look) -> list[bool]:
        """Take over each row of the look that is better than the best so far; returns which rows were."""
        if self._origin is not None:
            self._origin.update(look)
        size = self._size(look)
        ranks = self._rank(look, size)
        better = [new < old for new, old in zip(ranks, self._ranks, strict=True)]
        if all(better):  # always so with a single row that is better: nothing needs to be copied
            self.pictures, self.logits, self.loss = look.pictures, look.logits, look.loss
            self.won, self.size, self._ranks = look.won, size, ranks
        elif any(better):
            chosen = torch.tensor(better, device=look.loss.device)
            self.pictures = torch.where(rows(chosen), look.pictures, self.pictures)
            self.logits = torch.where(chosen.unsqueeze(1), look.logits, self.logits)
            self.loss, self.size = torch.where(chosen, look.loss, self.loss), torch.where(chosen, size, self.size)
            self.won = torch.where(chosen, look.won, self.won)
            self._ranks = [new if take else old for take, new, old in zip(better, ranks, self._ranks, strict=True)]
        return better

    def rescore(self, look: Look) -> None:
        """Replace the loss and the logits of the start by those of another look at it.

        For a goal with views: the start was judged without them, and is to be compared with looks through all of them.
        """
        self.logits, self.loss, self.start_lead = look.logits, look.loss, look.lead
        self._ranks = [
            rank if not rank[0] and self.measure is not None else (rank[0], loss)
            for rank, (loss, _) in zip(self._ranks, look.verdicts, strict=True)
        ]

    def add_patch(self, patch: Patch) -> None:
        """Set the square that the attack has trained, finished or not."""
        self.patch = patch

    @property
    def settled(self) -> bool:
        """Whether all rows have won, and are confirmed if somebody verifies successes in the file."""
        return self.all_won and self.confirmed is not False

    def branch(self) -> "Best":
        """A copy for one of several attacks, which then runs as it would alone: it sees no other attack's results.

        Looks given to the branch also update this `Best`, and the branch reports the progress of this one.
        """
        branch = copy.copy(self)
        branch._origin = self
        return branch

    def progress(self, step: int, steps: int) -> Progress:
        """A report on the first row; the score is the probability of its goal: its target's, or all but its label's."""
        best = self._origin or self
        return Progress(
            step,
            steps,
            partial(_of_first_row, best.goal.probability, best.logits),
            partial(_first, best.pictures),
            compute_probabilities=partial(_of_first_row, best.goal.class_probabilities, best.logits),
            start=partial(_first, best.start),
        )
