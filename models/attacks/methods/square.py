"""The Square attack, a random search without gradients (Andriushchenko et al. 2020, arxiv.org/abs/1912.00049)."""

import math
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.attacks.geometry import Norm, Pictures, rows, size
from models.attacks.goal import Best, Goal
from models.attacks.methods.windows import TINY, Window, area, bump, energy, unit
from models.query import Task

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""After how many of 10,000 queries the share of the picture that a window covers is halved."""
TILES = 5
"""Along the shorter side, in L2's first change."""


def square(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    norm: Norm = "linf",
    epsilon: float = 8 / 255,
    steps: int = 1000,
    p: float = 0.8,
    seed: int = 0,
) -> Task[None]:
    """Change one square window per query, and keep it in the rows where the goal's lead grows.

    The first windows cover the share `p` of what the model sees and the mask allows, later ones less. Linf: a window's
    channels move by epsilon, up or down. L2: a window takes another's length, and a bump of either sign. All rows try
    the same. `best` compares log-odds. Costs `steps` passes, none of them with gradients.
    """
    search = _Search(start, goal, norm, epsilon, seed)
    lead, won = torch.full_like(best.loss, -torch.inf), torch.zeros_like(best.won)
    for query in range(steps):
        if query:
            search.change(p / 2 ** sum(query * 10_000 > steps * each for each in HALVINGS))
        logits, *_ = yield from goal.ask(search.pictures, None)
        leads, wins = goal.reached(logits)
        better = (wins & ~won) | ((wins == won) & (leads > lead))
        search.keep(better)
        if better.any():
            lead, won = torch.where(better, leads, lead), torch.where(better, wins, won)
            # The search goes on in its own pictures, so what is kept is a copy.
            seen = goal.judge(search.pictures.clone(), logits)
            best.update(replace(seen, won=seen.won & better, loss=seen.loss.masked_fill(~better, torch.inf)))
        yield best.progress(query + 1, steps)


class _Search:
    """The pictures that the search is at, changed in place: of twelve megapixels, only windows are touched."""

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
        """Another window in all rows."""
        side = max(1, round(math.sqrt(share * self.height * self.width)))
        if self.norm == "l2":
            side = max(3, side + (side + 1) % 2)
        side = min(side, self.height, self.width)
        if self.norm == "linf":
            self._paint(self._window(side))
        else:
            self._move(self._window(side), self._window(side))

    def keep(self, better: Bool[Tensor, " n"]) -> None:
        """Take the change back in the other rows."""
        if not better.all():
            for window, before in self.undo:
                self.pictures[..., *window] = torch.where(rows(better), self.pictures[..., *window], before)
        if self.norm == "l2" and better.any():
            self.spent = size(self.pictures - self.start, "l2").square()

    def _paint(self, window: Window) -> None:
        self.undo = [(window, self.pictures[..., *window].clone())]
        change = self._allowed(self.epsilon * self._signs(1, 1), window)
        self.pictures[..., *window] = (self.start[..., *window] + change).clamp(0, 1)

    def _move(self, one: Window, other: Window) -> None:
        """The paper's Algorithm 3: one window takes over the other's length, and what clipping has left of epsilon."""
        self.undo = [(each, self.pictures[..., *each].clone()) for each in (one, other)]
        old = self.pictures[..., *one] - self.start[..., *one]
        freed = energy(self.pictures[..., *other] - self.start[..., *other])
        self.pictures[..., *other] = self.start[..., *other]
        # Where the two overlap, the other's share is gone by now, and counts once.
        freed = freed + energy(self.pictures[..., *one] - self.start[..., *one])
        unused = (self.epsilon**2 - self.spent).clamp(min=0) / self.start.shape[1]
        new = self._signs(1, 1) * self._turned(self._bump(one[0].stop - one[0].start)) + unit(old)
        new = unit(self._allowed(new, one)) * (freed + rows(unused)).sqrt()
        self.pictures[..., *one] = (self.start[..., *one] + new).clamp(0, 1)

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
