"""The schedules of runs that are extended to more epochs than they were planned for."""

from dataclasses import fields, replace

import pytest

from training.data.loading.plan import Plan
from training.extension import MAY_CHANGE, extend, schedules, stages
from training.recipe import Recipe
from training.run_state import CandidateWeights, State

RECIPE = Recipe(epochs=2, full_size_epochs=1, batch_size=8, input_size=48, precision="float32")


def state(epochs: int, done: int, step: int, looks: int = 0) -> State:
    learner = {"step": step} if step else None
    identity = {"recipe": {"epochs": epochs}}
    best = CandidateWeights("probe", 0, 0.5, 0.7, {})
    return State(identity, "float32", best, [{"epoch": n + 1} for n in range(done)], learner=learner, looks=looks)


def test_a_run_extended_twice_has_three_schedules() -> None:
    run_state = state(8, 8, 80)
    assert stages(run_state) == ((0, 8),)
    assert extend(run_state, 8, 10) is None and run_state.stages == []
    assert "extended to 20" in (extend(run_state, 20, 10) or "")
    assert "extended to 30" in (
        extend(run_state, 30, 10) or ""
    )  # no step of the second schedule is done: it is replaced
    assert stages(run_state) == ((0, 8), (8, 30)) and run_state.identity["recipe"]["epochs"] == 30
    run_state.history += [{}] * 2
    run_state.learner = {"step": 105}
    assert "from epoch 12 on" in (extend(run_state, 40, 10) or "")
    assert stages(run_state) == ((0, 8), (8, 30), (11, 40))
    lasts = [(row["first_epoch"], row["last_epoch"]) for row in schedules(run_state, Recipe())]
    assert lasts == [(1, 8), (9, 10)], "the third has not begun"


def test_the_options_that_may_change_are_in_the_recipe() -> None:
    assert set(MAY_CHANGE) <= {field.name for field in fields(Recipe)} and "epochs" in MAY_CHANGE


def test_a_plan_of_two_stages_by_hand() -> None:
    """It stops after the first of four epochs and is extended to five: only the last epoch has full size."""
    plan = Plan(replace(RECIPE, epochs=5), 24, 32, 48, ((0, 4), (1, 5)))
    assert [plan.size(epoch) for epoch in range(5)] == [32, 32, 32, 32, 48]
    assert plan.spans == ((0, 12), (3, 15)) and plan.steps == 15
    assert plan.cost(12) == pytest.approx(3 * 8 * 48**2 / 1e6)
