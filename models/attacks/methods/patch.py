"""Adversarial patches: squares that work anywhere on a photo (Brown et al. 2017, arxiv.org/abs/1712.09665)."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch

from models.attacks.geometry import Pictures, to_lattice
from models.attacks.goal import Best, Goal, Look, Patch
from models.attacks.methods.adam import Adam
from models.attacks.methods.placement import PlacedSquares, PlacementArea, Squares
from models.attacks.shared_options import Seed
from models.options import Option
from models.preprocessing import to_levels
from models.query import DeadlineExceeded, Progress, Task

TRIALS = 16
"""Random placements on which the finished square is tried, for its success rate."""


def patch(
    start: Pictures,
    goal: Goal,
    best: Best,
    *,
    size: Annotated[
        float,
        Option(
            "Side of the square patch, as a fraction of the picture's shorter side. Larger patches succeed more often, "
            "and hide more of the picture.",
            least=0.05,
            most=1.0,
        ),
    ] = 0.3,
    steps: Annotated[
        int,
        Option(
            "Number of steps in which the patch is trained; each costs one pass of the network with gradients per "
            "sample. More steps make a stronger patch, and take proportionally more time.",
            least=1,
            most=1000,
        ),
    ] = 100,
    samples: Annotated[
        int,
        Option(
            "Number of random placements of the patch that each step averages over. More placements make a patch that "
            "works in more places, and take proportionally more time and memory.",
            least=1,
            most=8,
        ),
    ] = 4,
    step_size: Annotated[
        float,
        Option(
            "Learning rate of Adam on the pixel values of the patch, from 0 to 1. Larger values train faster and "
            "settle less exactly.",
            least=1e-6,
            most=1e6,
        ),
    ] = 0.05,
    jitter: Annotated[
        bool,
        Option(
            "Whether each placement is also scaled, brightened and given contrast by random factors of 0.8 to 1.2, and "
            "turned by up to 15 degrees, so that the patch still works when printed and photographed."
        ),
    ] = True,
    seed: Seed = 0,
) -> Task[None]:
    """Train one square per row by Adam, from grey, on `samples` random placements per step.

    Placements lie within what the model sees; the goal's mask is ignored. `best` receives the photo with the finished
    square, not turned and not brightened, in up to nine places, and the first row's square as `patch`. At a deadline
    these are the photo with the unfinished square in the middle, and that square without a success rate. Costs
    `samples` passes with gradients per step, and up to 9 + 16 at the end without.
    """
    random = torch.Generator().manual_seed(seed)
    goal, area = replace(goal, mask=None), PlacementArea.of(start, goal, size)
    squares = torch.full((len(start), 3, area.side, area.side), 0.5, device=start.device)
    adam = Adam(squares)
    try:
        for step in range(steps):
            placed = PlacedSquares(start, squares, area.random(samples, random, jitter=jitter))
            look = yield from _repeated(goal, samples).look(placed.pictures)
            adam.descend(squares, placed.gradients(look.gradients), step_size)
            squares.clamp_(0, 1)
            yield _progress(step + 1, steps, start, goal, look)
        for corner in area.corners():
            best.update((yield from _look_at_corner(start, goal, squares, corner)))
        trials = []
        for begin in range(0, TRIALS, samples):
            placements = area.random(min(samples, TRIALS - begin), random, jitter=jitter)
            placed = PlacedSquares(start, to_lattice(squares), placements)
            look = yield from _repeated(goal, len(placements)).look(placed.pictures, gradients=False)
            trials.append(look.won[:: len(start)])
    except DeadlineExceeded:
        best.update((yield from _look_at_corner(start, goal, squares, area.corners()[0])))
        best.add_patch(Patch(to_levels(squares[0]), None))
        raise
    best.add_patch(Patch(to_levels(squares[0]), torch.cat(trials).float().mean().item()))


def _progress(step: int, steps: int, start: Pictures, goal: Goal, look: Look) -> Progress:
    """A report on the first row: probabilities over all placements of this step, of which the first is shown."""
    logits = look.logits[:: len(start)]
    return Progress(
        step,
        steps,
        partial(goal.probability, logits),
        look.pictures[0],
        compute_probabilities=partial(goal.class_probabilities, logits),
        start=lambda: start[0],
    )


def _repeated(goal: Goal, times: int) -> Goal:
    """The goal for the rows, repeated so many times."""
    return replace(goal, labels=goal.labels.repeat(times))


def _look_at_corner(start: Pictures, goal: Goal, squares: Squares, corner: tuple[int, int]) -> Task[Look]:
    """Look at the pictures with the squares, rounded to the lattice, at one top left corner."""
    (top, left), side = corner, squares.shape[-1]
    pictures = start.clone()
    pictures[..., top : top + side, left : left + side] = to_lattice(squares)
    return (yield from goal.look(pictures, gradients=False))
