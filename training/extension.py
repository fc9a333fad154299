"""Runs that are extended to more epochs: what `--resume` may change, and what that does to the schedule."""

import math
from collections.abc import Mapping
from typing import Any

from training.recipe import Recipe
from training.run_state import BadRun, State

MAY_CHANGE: Mapping[str, str] = {
    "epochs": "more of them extend the run by a schedule of their own; fewer are refused",
}
"""The options of a recipe that `--resume` may change, and how. All others, the classes, the photos, their split and the
pretrained weights must be those that the run began with: otherwise its model card would not be true."""


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
    """Make the state that of a run of `epochs` epochs; returns a message for the user, or None if nothing changes.

    The new schedule begins with the first epoch that has no step yet, so an epoch that has begun ends as it began.
    Weights, optimiser, averaged weights, history and the best candidate stay. Raises BadRun if `epochs` is less than
    the run is planned for.
    """
    planned, done = planned_epochs(state), len(state.history)
    if epochs == planned:
        return None
    if epochs < planned:
        raise BadRun(
            f"the run is planned for {planned} epochs, of which {done} are done, and {epochs} were asked for: give "
            f"--resume --finish to take the best weights so far, --resume --epochs {planned} to continue as planned, "
            "or more epochs to extend it"
        )
    first = max(done, math.ceil((state.learner or {"step": 0})["step"] / steps_per_epoch))
    # A run without any step is not extended: it becomes one that began with more epochs.
    earlier = [stage for stage in stages(state) if stage[0] < first]
    state.stages = [list(stage) for stage in (*earlier, (first, epochs))]
    state.identity = {**state.identity, "recipe": {**state.identity["recipe"], "epochs": epochs}}
    return _message(state, planned, first, epochs) if first else None


def _message(state: State, planned: int, first: int, epochs: int) -> str:
    times = "once" if state.looks == 1 else f"{state.looks} times"
    looks = f"; it has been measured on the test split {times} before" if state.looks else ""
    left = "the last epoch" if epochs - first == 1 else f"the {epochs - first} epochs that are left"
    return (
        f"the run, planned for {planned} epochs, is extended to {epochs}: from epoch {first + 1} on the learning rates "
        f"rise and fall again over {left}; weights, optimiser state, averaged "
        f"weights, history and the best weights so far are kept{looks}"
    )


def schedules(state: State, recipe: Recipe) -> list[dict[str, Any]]:
    """For the model card: which epochs (counted from 1) followed which schedule, and its planned length."""
    done, planned = len(state.history), stages(state)
    ends = [min(done, first) for first, _ in planned[1:]] + [done]
    return [
        {
            "first_epoch": first + 1,
            "last_epoch": last,
            "planned_epochs": end - first,
            "schedule": recipe.schedule,
            "warm_up": recipe.warm_up,
        }
        for (first, end), last in zip(planned, ends, strict=True)
        if last > first
    ]
