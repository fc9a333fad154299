"""The Square attack, a random search without gradients (Andriushchenko et al. 2020, arxiv.org/abs/1912.00049)."""

import math
from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.attacks.geometry import Norm, Pictures, rows, size
from models.attacks.goal import Best, Goal
from models.attacks.methods.windows import TINY, Window, area, bump, energy, unit
from models.attacks.shared_options import Epsilon, Seed, Stop
from models.options import Option
from models.query import Task

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Numbers of queries, out of 10,000, after which the share of the picture that a window covers is halved."""
TILES = 5
"""Number of tiles along the shorter side of the first change in L2."""


def square(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "linf",
    epsilon: Epsilon = 8 / 255,
    steps: Annotated[
        int,
        Option(
            "Number of queries; each costs one pass of the network without gradients. More queries make the attack "
            "stronger, and take proportionally more time.",
            least=1,
            most=1000,
        ),
    ] = 1000,
    p: Annotated[
        float,
        Option(
            "Fraction of the changeable area of the picture that the first square window covers; later windows become "
            "smaller. Larger values change more of the picture at once in the first queries.",
            least=1e-6,
            most=1.0,
        ),
    ] = 0.8,
    seed: Seed = 0,
    stop: Stop = "strongest",
) -> Task[None]:
    """Change one square window per query, and keep the change in the rows where the goal's lead grows.

    The first windows cover the share `p` of the pixels that the model sees and the mask allows, later ones less. Linf:
    each channel of a window moves by epsilon, up or down. L2: a window takes over the L2 norm of another one, with a
    bump of either sign. All rows try the same windows. `best` compares log-odds. Costs `steps` passes without
    gradients.
    """
    search = _Search(start, goal, norm, epsilon, seed)
    lead, won = torch.full_like(best.loss, -torch.inf), torch.zeros_like(best.won)
    for query in range(steps):
        if query:
            search.change(p / 2 ** sum(query * 10_000 > steps * halving for halving in HALVINGS))
        logits, *_ = yield from goal.ask(search.pictures, None)
        new_lead, new_won = goal.measure_lead(logits)
        better = (new_won & ~won) | ((new_won == won) & (new_lead > lead))
        search.keep(better)
        if better.any():
            lead, won = torch.where(better, new_lead, lead), torch.where(better, new_won, won)
            # The search changes its pictures in place, so `best` gets a copy.
            look = goal.judge(search.pictures.clone(), logits)
            best.update(replace(look, won=look.won & better, loss=look.loss.masked_fill(~better, torch.inf)))
        yield best.progress(query + 1, steps)
        if stop == "first" and best.settled:
            return


class _Search:
    """The present pictures of the search, changed in place: a step touches only its windows in a large photo."""

    def __init__(self, start: Pictures, goal: Goal, norm: Norm, epsilon: float, seed: int) -> None:
        self.start, self.mask, self.norm, self.epsilon = start, goal.mask, norm, epsilon
        self.random = torch.Generator().manual_seed(seed)
        self.top, self.left, self.height, self.width = area(start, goal)
        self.bump = torch.empty(0, 0)
        change = goal.masked(self._stripes() if norm == "linf" else self._tiles())
        self.pictures = (start + epsilon * change / (1.0 if norm == "linf" else change.norm() + TINY)).clamp_(0, 1)
        self.undo: list[tuple[Window, Tensor]] = []
        self.keep(torch.ones(len(start), dtype=torch.bool, device=start.device))

    def change(self, share: float) -> None:
        """Change a window that covers the share of the allowed pixels, in all rows."""
        side = max(1, round(math.sqrt(share * self.height * self.width)))
        if self.norm == "l2":
            side = max(3, side + (side + 1) % 2)
        side = min(side, self.height, self.width)
        if self.norm == "linf":
            self._paint(self._window(side))
        else:
            self._move(self._window(side), self._window(side))

    def keep(self, better: Bool[Tensor, " n"]) -> None:
        """Undo the last change in the rows that are not better."""
        if not better.all():
            for window, before in self.undo:
                self.pictures[..., *window] = torch.where(rows(better), self.pictures[..., *window], before)
        if self.norm == "l2" and better.any():
            self.spent = size(self.pictures - self.start, "l2").square()

    def _paint(self, window: Window) -> None:
        self.undo = [(window, self.pictures[..., *window].clone())]
        change = self._allowed(self.epsilon * self._signs(1, 1), window)
        self.pictures[..., *window] = (self.start[..., *window] + change).clamp(0, 1)

    def _move(self, receiver: Window, donor: Window) -> None:
        """Algorithm 3 of the paper: `receiver` takes over the L2 norm of `donor`, and what clipping left of epsilon."""
        self.undo = [(window, self.pictures[..., *window].clone()) for window in (receiver, donor)]
        old = self.pictures[..., *receiver] - self.start[..., *receiver]
        freed = energy(self.pictures[..., *donor] - self.start[..., *donor])
        self.pictures[..., *donor] = self.start[..., *donor]
        # Where the two windows overlap, the donor is already back at the start: it counts only once.
        freed = freed + energy(self.pictures[..., *receiver] - self.start[..., *receiver])
        unused = (self.epsilon**2 - self.spent).clamp(min=0) / self.start.shape[1]
        new = self._signs(1, 1) * self._turned(self._bump(receiver[0].stop - receiver[0].start)) + unit(old)
        new = unit(self._allowed(new, receiver)) * (freed + rows(unused)).sqrt()
        self.pictures[..., *receiver] = (self.start[..., *receiver] + new).clamp(0, 1)

    def _allowed(self, change: Tensor, window: Window) -> Tensor:
        return change if self.mask is None else change * self.mask[..., *window]

    def _window(self, side: int) -> Window:
        top = self.top + self._below(self.height - side + 1)
        left = self.left + self._below(self.width - side + 1)
        return slice(top, top + side), slice(left, left + side)

    def _below(self, bound: int) -> int:
        return int(torch.randint(bound, (), generator=self.random))

    def _signs(self, down: int, across: int) -> Float[Tensor, "1 3 a b"]:
        signs = torch.randint(0, 2, (1, self.start.shape[1], down, across), generator=self.random) * 2.0 - 1
        return signs.to(self.start.device)

    def _stripes(self) -> Float[Tensor, "1 3 h w"]:
        return self._signs(1, self.start.shape[3]).expand(-1, -1, self.start.shape[2], -1)

    def _tiles(self) -> Float[Tensor, "1 3 h w"]:
        side = max(1, min(self.height, self.width) // TILES)
        down, across = self.height // side, self.width // side
        bump = self._bump(side)
        turned = torch.randint(0, 2, (down, across, 1, 1), generator=self.random).to(bump.device) == 1
        tiles = self._signs(down, across)[..., None, None] * torch.where(turned, bump.T, bump)
        change = torch.zeros_like(self.start[:1])
        top, left = self.top + (self.height - down * side) // 2, self.left + (self.width - across * side) // 2
        flat = tiles.permute(0, 1, 2, 4, 3, 5).reshape(1, -1, down * side, across * side)
        change[..., top : top + down * side, left : left + across * side] = flat
        return change

    def _turned(self, bump: Tensor) -> Tensor:
        return bump.T if self._below(2) else bump

    def _bump(self, side: int) -> Float[Tensor, "s s"]:
        if len(self.bump) != side:
            self.bump = bump(side).to(self.start.device)
        return self.bump
