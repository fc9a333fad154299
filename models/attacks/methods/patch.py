"""An adversarial patch: a square that works anywhere on a photo (Brown et al. 2017, arxiv.org/abs/1712.09665)."""

from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import UInt8
from torch import Tensor

from models.attacks.geometry import Pictures, to_lattice
from models.attacks.goal import Best, Goal, Look
from models.attacks.methods.adam import Adam
from models.attacks.methods.placement import Laid, Room, Squares
from models.preprocessing import to_levels
from models.query import DeadlineExceeded, Progress, Task

TRIALS = 16
"""Placements on which the finished square is tried."""


@dataclass(frozen=True)
class Patch:
    """A square to print, and on what share of random placements, none of which trained it, it reaches the goal.

    The share is None where time was up before it was tried.
    """

    square: UInt8[Tensor, "3 side side"]
    success_rate: float | None


def patch(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    size: float = 0.3,
    steps: int = 100,
    samples: int = 4,
    step_size: float = 0.05,
    jitter: bool = True,
    seed: int = 0,
) -> Task[Patch]:
    """Train one square per row, from grey, on `samples` random placements per step, by Adam of `step_size`.

    `size` is its side over the picture's shorter side. A placement lies within what the model sees and, with `jitter`,
    is scaled, brightened and given contrast by 0.8 to 1.2 each and turned by up to 15 degrees. The goal's mask does not
    matter. `best` receives the photo with the finished square, laid plainly where it does most of nine places; at a
    deadline, in the middle, and the square as it is then is `found` of the DeadlineExceeded. Returns the first row's
    square. Costs `samples` passes with gradients per step, and up to 9 + 16 at the end without.
    """
    random = torch.Generator().manual_seed(seed)
    goal, room = replace(goal, mask=None), Room.of(start, goal, size)
    squares = torch.full((len(start), 3, room.side, room.side), 0.5, device=start.device)
    adam = Adam(squares)
    try:
        for step in range(steps):
            laid = Laid(start, squares, room.random(samples, random, jitter=jitter))
            look = yield from _repeated(goal, samples).look(laid.pictures)
            adam.descend(squares, laid.pull(look.slope), step_size)
            squares.clamp_(0, 1)
            # Of the first row's square, on all placements of this step; the first of them is shown.
            yield Progress(step + 1, steps, partial(goal.probability, look.logits[:: len(start)]), look.pictures[0])
        for corner in room.corners():
            best.update((yield from _plainly(start, goal, squares, corner)))
        won = []
        for begin in range(0, TRIALS, samples):
            placements = room.random(min(samples, TRIALS - begin), random, jitter=jitter)
            laid = Laid(start, to_lattice(squares), placements)
            look = yield from _repeated(goal, len(placements)).look(laid.pictures, gradients=False)
            won.append(look.won[:: len(start)])
    except DeadlineExceeded as late:
        best.update((yield from _plainly(start, goal, squares, room.corners()[0])))
        late.found = Patch(to_levels(squares[0]), None)
        raise
    return Patch(to_levels(squares[0]), torch.cat(won).float().mean().item())


def _repeated(goal: Goal, times: int) -> Goal:
    return replace(goal, labels=goal.labels.repeat(times))


def _plainly(start: Pictures, goal: Goal, squares: Squares, corner: tuple[int, int]) -> Task[Look]:
    """The squares, as a file holds them, flat on one place."""
    (top, left), side = corner, squares.shape[-1]
    pictures = start.clone()
    pictures[..., top : top + side, left : left + side] = to_lattice(squares)
    return (yield from goal.look(pictures, gradients=False))
