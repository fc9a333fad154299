"""A run that goes on for more epochs than it was planned for: what may change on `--resume`, and what that does."""

import math
from collections.abc import Mapping
from typing import Any

from training.recipe import Recipe
from training.run_folder import BadRun, State

MAY_CHANGE: Mapping[str, str] = {
    "epochs": "more of them extend the run by a schedule of their own; fewer are refused",
}
"""The choices of a recipe that `--resume` may change. Every other one, the classes, the pictures, their split and the
pretrained weights have to be those that the run began with: its model card would not be true otherwise."""


def planned_epochs(state: State) -> int:
    """How many epochs the run is planned for, after all extensions so far."""
    epochs: int = state.identity["recipe"]["epochs"]
    return epochs


def stages(state: State) -> tuple[tuple[int, int], ...]:
    """The run's schedules of learning rates as (first epoch, end) in epochs from 0; an extended run has several.

    A schedule ends early where the next one begins before its end.
    """
    return tuple((first, end) for first, end in state.stages) or ((0, planned_epochs(state)),)


def extend(state: State, epochs: int, steps_per_epoch: int) -> str | None:
    """Let the state be that of a run of `epochs` epochs; returns what there is to say, None if nothing changes.

    The new schedule begins with the first epoch in which no step was made yet, so one that was begun ends as it began.
    Weights, optimiser, averaged weights, history and the best so far stay. Raises BadRun where there are fewer epochs.
    """
    planned, done = planned_epochs(state), len(state.history)
    if epochs == planned:
        return None
    if epochs < planned:
        raise BadRun(
            f"the run is planned for {planned} epochs, of which {done} are done, and {epochs} were asked for: give "
            f"--resume --finish to take the best weights so far, --resume --epochs {planned} to go on as planned, or "
            "more epochs to extend it"
        )
    first = max(done, math.ceil((state.learner or {"step": 0})["step"] / steps_per_epoch))
    # Where nothing was trained yet there is nothing to extend: the run is as one that was begun with more epochs.
    earlier = [stage for stage in stages(state) if stage[0] < first]
    state.stages = [list(stage) for stage in (*earlier, (first, epochs))]
    state.identity = {**state.identity, "recipe": {**state.identity["recipe"], "epochs": epochs}}
    return _told(state, planned, first, epochs) if first else None


def _told(state: State, planned: int, first: int, epochs: int) -> str:
    times = "once" if state.looks == 1 else f"{state.looks} times"
    looks = f"; it has been measured on the test split {times} before" if state.looks else ""
    left = "the last epoch" if epochs - first == 1 else f"the {epochs - first} epochs that are left"
    return (
        f"the run, planned for {planned} epochs, is extended to {epochs}: from epoch {first + 1} on the learning rates "
        f"rise and fall again over {left}; weights, optimiser state, averaged "
        f"weights, history and the best so far are carried on{looks}"
    )


def schedules(state: State, recipe: Recipe) -> list[dict[str, Any]]:
    """For the model card: which epochs (from 1) followed which schedule, and for how many each had been planned."""
    done, found = len(state.history), stages(state)
    ends = [min(done, first) for first, _ in found[1:]] + [done]
    return [
        {
            "first_epoch": first + 1,
            "last_epoch": last,
            "planned_epochs": end - first,
            "schedule": recipe.schedule,
            "warm_up": recipe.warm_up,
        }
        for (first, end), last in zip(found, ends, strict=True)
        if last > first
    ]
