"""Tests the search for the smallest change on the lattice of levels, on linear models whose optimum is known."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.attacks.geometry import Norm, by, in_levels, norms, to_lattice
from models.attacks.goal import Best, Goal
from models.attacks.lattice import Candidate, round_quickly, search_lattice
from models.attacks.objectives import SETTLED, margin
from models.classifier import Classifier
from models.preprocessing import to_levels
from models.query import Passes, Task
from models.run import run
from tests.models.attacks.lattice_optimum import SIDE, lattice_picture, least_l2
from tests.networks import Counting, LinearNetwork, unnormalised


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Return a linear model of two classes, whose gradient is the same for all pictures."""
    return Classifier(LinearNetwork(2, SIDE), unnormalised(2, SIDE))


@pytest.fixture(scope="module")
def weight() -> Tensor:
    layer = LinearNetwork(2, SIDE).layer.weight.detach()
    return (layer[0] - layer[1]).reshape(1, 3, SIDE, SIDE)


def verified_best(
    classifier: Classifier | Counting,
    start: Tensor,
    change: Tensor,
    *,
    norm: Norm,
    epsilon: float | None = None,
    quickly: bool = False,
    passes: Passes | None = None,
) -> Best:
    """Search the lattice from a float change away from the class of the start, and return the verified best."""
    inner = classifier.classifier if isinstance(classifier, Counting) else classifier
    labels = inner.logits(start).argmax(dim=1)

    def task() -> Task[Best]:
        float_goal = Goal(labels, False, lambda pixels: pixels, passes or Passes())
        goal = Goal(labels, False, lambda pixels: pixels, float_goal.passes, confidence=SETTLED)
        first = yield from goal.look(start, gradients=False)
        best = Best(float_goal, start, first, measure=by(norm) if epsilon is None else None)
        best.update((yield from float_goal.look(start + change, gradients=False)))
        candidate = Candidate(best.pictures, bool(best.won))
        verified = Best(goal, start, first, measure=in_levels(norm) if epsilon is None else None)
        search = round_quickly if quickly else search_lattice
        yield from search(candidate, verified, norm=norm, epsilon=epsilon)
        return verified

    return run(task(), classifier)


def margin_and_direction(classifier: Classifier, start: Tensor, weight: Tensor) -> tuple[float, Tensor]:
    """Return the margin of the start and the direction in which it falls."""
    logits = classifier.logits(start)[0]
    gap = (logits[0] - logits[1]).item()
    return abs(gap), -math.copysign(1, gap) * weight


@pytest.mark.parametrize("seed", range(6))
def test_the_l2_result_is_the_optimum_of_the_lattice(classifier: Classifier, weight: Tensor, seed: int) -> None:
    """From the shortest float change, the result is within 1 % of the integer optimum of the linear model."""
    start = lattice_picture(seed)
    gap, direction = margin_and_direction(classifier, start, weight)
    change = direction * 1.001 * gap / weight.norm() ** 2
    best = verified_best(classifier, start, change, norm="l2")
    assert best.won
    assert torch.equal(best.pictures, to_lattice(best.pictures))
    result = norms(to_levels(best.pictures[0]), to_levels(start[0]))["l2"]
    assert result <= 1.01 * least_l2(gap, weight) + 1 / 255 / 10
    assert result >= (gap / weight.norm()).item() * (1 - 1e-5), "no file is nearer than the decision border"


@pytest.mark.parametrize("seed", range(4))
def test_the_linf_result_has_the_fewest_levels_and_a_small_l2(
    classifier: Classifier, weight: Tensor, seed: int
) -> None:
    """The fewest levels are |margin| / |w|_1 rounded up, and among such changes the L2 is within 3 % of the least.

    The least L2 changes every value by round(s |w|) levels, at most by the number of levels allowed.
    """
    start = lattice_picture(seed)
    gap, direction = margin_and_direction(classifier, start, weight)
    optimum = gap / weight.abs().sum().item()
    best = verified_best(classifier, start, direction.sign() * 1.001 * optimum, norm="linf")
    levels = math.ceil((gap + SETTLED) / weight.abs().sum().item() * 255)
    change = (to_levels(best.pictures).int() - to_levels(start).int()).abs()
    assert best.won and change.max() == levels
    gains = weight.abs().double() / 255
    strengths = torch.logspace(0, 6, 4000, dtype=torch.float64)
    least = next(
        m for m in ((s * gains).round().clamp(max=levels) for s in strengths) if (m * gains).sum() > gap + SETTLED
    )
    assert change.double().norm() <= 1.03 * least.norm()


@pytest.mark.parametrize("norm", ["l1", "l0"])
def test_in_l1_and_l0_the_result_is_no_larger_than_plain_rounding(
    classifier: Classifier, weight: Tensor, norm: Norm
) -> None:
    """A sparse change of a float attack is never made larger than its plain rounding."""
    start = lattice_picture(1)
    gap, direction = margin_and_direction(classifier, start, weight)
    strongest = weight.abs() >= weight.abs().flatten().topk(60).values[-1]
    change = direction.sign() * strongest * 1.3 * gap / (weight.abs() * strongest).sum()
    best, plain = verified_best(classifier, start, change, norm=norm), to_lattice(start + change)
    assert best.won
    assert by(norm)(best.pictures - start) <= by(norm)(plain - start) + 1e-6


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@given(seed=st.integers(0, 50), share=st.floats(0.4, 3))
@settings(max_examples=15)
def test_the_result_stays_within_the_budget(
    classifier: Classifier, weight: Tensor, norm: Norm, seed: int, share: float
) -> None:
    """For a float change of any size, the result is within the budget, and its success is verified."""
    start = lattice_picture(seed)
    gap, direction = margin_and_direction(classifier, start, weight)
    change = direction * share * gap / weight.norm() ** 2
    budget = 2 / 255 if norm == "linf" else by(norm)(change).item()
    best = verified_best(classifier, start, change, norm=norm, epsilon=budget)
    assert by(norm)(best.pictures - start) <= budget * (1 + 1e-4)
    labels = classifier.logits(start).argmax(dim=1)
    assert best.won.item() == (margin(classifier.logits(best.pictures), labels) < -SETTLED).item()


def test_a_narrow_success_is_strengthened_within_its_own_pixels() -> None:
    """The float change moves red of 20 pixels towards the goal and green away from it, and leads by only 0.0005.

    Scaling would only move green further, and fewer pixels are not enough; moving green back wins.
    """
    network, start = LinearNetwork(2, SIDE), lattice_picture(3)
    weight = (network.layer.weight[0] - network.layer.weight[1]).detach().reshape(1, 3, SIDE, SIDE)
    helping = torch.where(weight < 0, 1 - start, -start)
    change = torch.zeros_like(start)
    pixels = (helping[:, 0] * -weight[:, 0]).flatten().topk(20).indices
    change[:, 0].view(-1)[pixels] = helping[:, 0].view(-1)[pixels]
    change[:, 1].view(-1)[pixels] = -(helping[:, 1] / 2 * 255).round().view(-1)[pixels] / 255 / 4
    gain = -(weight * change).sum()
    with torch.no_grad():
        odds = network(start)[0, 0] - network(start)[0, 1]
        network.layer.bias[0] += gain - 5e-4 - odds
    classifier = Classifier(network, unnormalised(2, SIDE))
    assert gain > 0 and classifier.logits(start).argmax() == 0
    best = verified_best(classifier, start, to_lattice(start + change) - start, norm="l0")
    assert best.won
    changed = (best.pictures != start).any(dim=1).flatten()
    assert set(changed.nonzero().flatten().tolist()) <= set(pixels.tolist())


def test_a_change_that_does_not_win_is_reported_as_a_failure(classifier: Classifier, weight: Tensor) -> None:
    """The result is the rounded picture of the lowest loss, verified as not winning."""
    start = lattice_picture(0)
    gap, direction = margin_and_direction(classifier, start, weight)
    best = verified_best(classifier, start, direction * 0.9 * gap / weight.norm() ** 2, norm="l2")
    assert not best.won
    labels = classifier.logits(start).argmax(dim=1)
    assert margin(classifier.logits(best.pictures), labels) <= margin(classifier.logits(start), labels)


def test_quick_rounding_takes_at_most_twelve_queries(classifier: Classifier, weight: Tensor) -> None:
    """After a deadline the change is doubled until its rounding wins, and the remaining queries make it smaller."""
    start = lattice_picture(2)
    gap, direction = margin_and_direction(classifier, start, weight)
    passes, network = Passes(), Counting(classifier)
    change = direction * 1.001 * gap / weight.norm() ** 2
    best = verified_best(network, start, change, norm="l2", quickly=True, passes=passes)
    assert best.won
    assert by("l2")(best.pictures - start) <= 1.1 * least_l2(gap, weight)
    assert network.backward == 0
    assert passes.forward == network.forward <= 2 + 12
