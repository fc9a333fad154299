"""Tests of the search within a budget, on linear models whose best changes are known, and on a small network."""

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import Norm, size, to_lattice
from models.attacks.goal import Best, Goal, Look
from models.attacks.methods import budgets
from models.attacks.methods.budgets import BudgetSearch
from models.gather import gather
from models.preprocessing import to_levels
from models.query import DeadlineExceeded, Progress, Task
from models.run import run
from tests.models.attacks.minimal import TwoClasses
from tests.networks import Counting

SIDE = 16


def searches(
    network: TwoClasses, norm: Norm, *, steps: int = 20, known: Tensor | None = None
) -> tuple[BudgetSearch, Look]:
    """Return the searches for the first picture, and the look at it."""
    start = to_lattice(network.pictures[:1])
    goal = Goal(network.labels[:1], False, lambda pixels: pixels)
    original = goal.judge(start, network.classifier.logits(start).detach().unsqueeze(0))
    return BudgetSearch(original, goal, network.classifier.spec, norm=norm, steps=steps, known=known), original


@pytest.fixture(scope="module")
def linear_model() -> TwoClasses:
    return TwoClasses.draw()


def strongest(network: TwoClasses, norm: Norm, epsilon: float) -> float:
    """Return by how much the lead can grow within the budget, far from black and white."""
    weight = network.weight.abs()
    return epsilon * {"linf": weight.sum(), "l2": weight.norm(), "l1": weight.max()}[norm].item()


@pytest.mark.parametrize(("norm", "epsilon", "share"), [("linf", 8 / 255, 0.999), ("l2", 1.0, 0.98), ("l1", 0.3, 0.5)])
@pytest.mark.parametrize("warm", [True, False])
def test_the_lead_grows_as_far_as_the_budget_allows(
    linear_model: TwoClasses, monkeypatch: pytest.MonkeyPatch, norm: Norm, epsilon: float, share: float, warm: bool
) -> None:
    """In L1 a step moves the hundredth of the values and not the best one alone, so less is reached."""
    monkeypatch.setattr(budgets, "GAIN", 0.0)
    known = to_levels(linear_model.pictures[0] + 0.02) if warm else None
    search, original = searches(linear_model, norm, known=known)
    verified, stopped = run(search.run(epsilon, best_at_deadline=False), linear_model.classifier)
    assert not stopped
    assert size(verified.pictures - original.pictures, norm) <= epsilon * (1 + 1e-6)
    assert torch.equal(verified.pictures, to_lattice(verified.pictures))
    gained = verified.goal.measure_lead(verified.logits.unsqueeze(0))[0] - original.lead
    assert share * strongest(linear_model, norm, epsilon) < gained <= 1.001 * strongest(linear_model, norm, epsilon)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_budgets_side_by_side_give_what_each_gives_alone(linear_model: TwoClasses, norm: Norm) -> None:
    """Up to the rounding of sums; queries of up to three rows hold budgets that end at different steps."""
    search, _ = searches(linear_model, norm)
    epsilons = [(1 + number) * {"linf": 1 / 255, "l2": 0.2, "l1": 2.0}[norm] for number in range(8)]
    alone = [run(search.run(epsilon, best_at_deadline=False), linear_model.classifier)[0] for epsilon in epsilons]
    tasks = [search.run(epsilon, best_at_deadline=False) for epsilon in epsilons]
    together = run(gather(tasks, lambda reports: Progress(1, 1), max_rows=3), linear_model.classifier)
    for one, (other, _) in zip(alone, together, strict=True):
        torch.testing.assert_close(one.logits, other.logits, rtol=0, atol=1e-3)
        assert (one.pictures != other.pictures).float().mean() < 0.01


def test_a_search_begins_at_the_known_change_scaled_to_the_budget(linear_model: TwoClasses) -> None:
    """The known change is along the gradient, so the first look already has the largest lead, and one step suffices."""
    sign = 1.0 if linear_model.labels[0] == 1 else -1.0
    start = to_lattice(linear_model.pictures[:1])
    known = start + sign * 0.1 * linear_model.weight.sign().reshape(start.shape)
    search, original = searches(linear_model, "linf", steps=1, known=to_levels(known[0]))
    verified, _ = run(search.run(4 / 255, best_at_deadline=False), linear_model.classifier)
    gained = verified.goal.measure_lead(verified.logits.unsqueeze(0))[0] - original.lead
    assert gained.item() == pytest.approx(strongest(linear_model, "linf", 4 / 255), rel=1e-3)


def test_a_search_ends_when_steps_no_longer_help(linear_model: TwoClasses) -> None:
    """A budget of one level hardly changes the probability; a huge one makes the goal certain at once."""
    for epsilon, most in ((1 / 255, 8), (100.0, 3)):
        network = Counting(linear_model.classifier)
        search, _ = searches(linear_model, "l2", steps=50)
        run(search.run(epsilon, best_at_deadline=False), network)
        assert 0 < network.backward <= most
        assert network.forward <= network.backward + 2


def test_a_budget_below_one_level_returns_the_picture_itself(linear_model: TwoClasses) -> None:
    search, original = searches(linear_model, "l2", steps=2)
    verified, _ = run(search.run(1e-3, best_at_deadline=False), linear_model.classifier)
    assert torch.equal(verified.pictures, original.pictures)


@pytest.mark.parametrize("best_at_deadline", [True, False])
def test_at_the_deadline_the_best_so_far_is_verified(linear_model: TwoClasses, best_at_deadline: bool) -> None:
    """Two looks are answered, then the time is up."""
    search, original = searches(linear_model, "l2", steps=50)
    task: Task[tuple[Best, bool]] = search.run(1.0, best_at_deadline=best_at_deadline)
    query = task.send(None)
    for _ in range(2):
        (answer,) = linear_model.classifier.answer([query])
        task.send(answer)  # the report
        query = task.send(None)
    if not best_at_deadline:
        with pytest.raises(DeadlineExceeded):
            task.throw(DeadlineExceeded("time is up"))
        return
    query = task.throw(DeadlineExceeded("time is up"))
    assert query.objective is None
    with pytest.raises(StopIteration) as end:
        task.send(linear_model.classifier.answer([query])[0])
    verified, stopped = end.value.value
    assert stopped and not torch.equal(verified.pictures, original.pictures)
