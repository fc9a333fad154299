"""A run that goes on for more epochs than it was planned for."""

from dataclasses import fields, replace

import pytest

from training.data.loading.plan import Plan
from training.extension import MAY_CHANGE, extend, schedules, stages
from training.recipe import Recipe
from training.run_state import Candidate, State

RECIPE = Recipe(epochs=2, full_size_epochs=1, batch_size=8, input_size=48, precision="float32")


def state(epochs: int, done: int, step: int, looks: int = 0) -> State:
    learner = {"step": step} if step else None
    identity = {"recipe": {"epochs": epochs}}
    kept = Candidate("probe", 0, 0.5, 0.7, {})
    return State(identity, "float32", kept, [{"epoch": n + 1} for n in range(done)], learner=learner, looks=looks)


def test_extended_twice_it_has_three_schedules() -> None:
    found = state(8, 8, 80)
    assert stages(found) == ((0, 8),)
    assert extend(found, 8, 10) is None and found.stages == []
    assert "extended to 20" in (extend(found, 20, 10) or "")
    assert "extended to 30" in (extend(found, 30, 10) or "")  # before a step of the second: it gives way
    assert stages(found) == ((0, 8), (8, 30)) and found.identity["recipe"]["epochs"] == 30
    found.history += [{}] * 2
    found.learner = {"step": 105}
    assert "from epoch 12 on" in (extend(found, 40, 10) or "")
    assert stages(found) == ((0, 8), (8, 30), (11, 40))
    lasts = [(row["first_epoch"], row["last_epoch"]) for row in schedules(found, Recipe())]
    assert lasts == [(1, 8), (9, 10)], "the third has not begun"


def test_what_may_change_are_choices_of_the_recipe() -> None:
    assert set(MAY_CHANGE) <= {field.name for field in fields(Recipe)} and "epochs" in MAY_CHANGE


def test_a_plan_of_two_stages_by_hand() -> None:
    """Stopped after the first of four epochs and extended to five: full size is the last epoch alone."""
    plan = Plan(replace(RECIPE, epochs=5), 24, 32, 48, ((0, 4), (1, 5)))
    assert [plan.size(epoch) for epoch in range(5)] == [32, 32, 32, 32, 48]
    assert plan.spans == ((0, 12), (3, 15)) and plan.steps == 15
    assert plan.cost(12) == pytest.approx(3 * 8 * 48**2 / 1e6)
