"""From a float attack to a file: the smallest change on the lattice, on linear models whose optimum is known."""

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
    """Two classes, linear: the odds' gradient is one and the same picture everywhere."""
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
    """The verified best of a float change away from the class of the start."""
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


def away(classifier: Classifier, start: Tensor, weight: Tensor) -> tuple[float, Tensor]:
    """The margin to lose, and the direction in which it falls."""
    logits = classifier.logits(start)[0]
    gap = (logits[0] - logits[1]).item()
    return abs(gap), -math.copysign(1, gap) * weight


@pytest.mark.parametrize("seed", range(6))
def test_in_l2_it_is_the_lattices_own_optimum(classifier: Classifier, weight: Tensor, seed: int) -> None:
    """Within 1 % of the integer optimum of the linear model, from a float attack's shortest way."""
    start = lattice_picture(seed)
    gap, direction = away(classifier, start, weight)
    change = direction * 1.001 * gap / weight.norm() ** 2
    best = verified_best(classifier, start, change, norm="l2")
    assert best.won
    assert torch.equal(best.pictures, to_lattice(best.pictures))
    result = norms(to_levels(best.pictures[0]), to_levels(start[0]))["l2"]
    assert result <= 1.01 * least_l2(gap, weight) + 1 / 255 / 10
    assert result >= (gap / weight.norm()).item() * (1 - 1e-5), "no file is nearer than the border"


@pytest.mark.parametrize("seed", range(4))
def test_in_linf_it_is_the_fewest_levels(classifier: Classifier, weight: Tensor, seed: int) -> None:
    """As many as the float optimum rounded up, |margin| / |w|_1; and of those the L2 is no larger than it must be.

    That is by round(s |w|) levels, cut to so many: found within 3 %.
    """
    start = lattice_picture(seed)
    gap, direction = away(classifier, start, weight)
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
def test_in_l1_and_l0_nothing_is_larger_than_the_rounded_attack(
    classifier: Classifier, weight: Tensor, norm: Norm
) -> None:
    """What a sparse float attack found is never made larger than its plain rounding, where that wins at all."""
    start = lattice_picture(1)
    gap, direction = away(classifier, start, weight)
    strongest = weight.abs() >= weight.abs().flatten().topk(60).values[-1]
    change = direction.sign() * strongest * 1.3 * gap / (weight.abs() * strongest).sum()
    best, plain = verified_best(classifier, start, change, norm=norm), to_lattice(start + change)
    assert best.won
    assert by(norm)(best.pictures - start) <= by(norm)(plain - start) + 1e-6


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@given(seed=st.integers(0, 50), share=st.floats(0.4, 3))
@settings(max_examples=15)
def test_within_a_budget_it_stays_there(
    classifier: Classifier, weight: Tensor, norm: Norm, seed: int, share: float
) -> None:
    """However large the float change was, the file's is at most the budget; and it says truly whether it wins."""
    start = lattice_picture(seed)
    gap, direction = away(classifier, start, weight)
    change = direction * share * gap / weight.norm() ** 2
    budget = 2 / 255 if norm == "linf" else by(norm)(change).item()
    best = verified_best(classifier, start, change, norm=norm, epsilon=budget)
    assert by(norm)(best.pictures - start) <= budget * (1 + 1e-4)
    labels = classifier.logits(start).argmax(dim=1)
    assert best.won.item() == (margin(classifier.logits(best.pictures), labels) < -SETTLED).item()


def test_what_won_by_a_hair_is_pushed_on_by_its_own_pixels() -> None:
    """Twenty pixels, red as far as it helps, green half as far as it harms: the goal leads by 0.0005, too little.

    Scaled, green alone goes on, and of fewer pixels each is missing; back with green, and no other pixel moves.
    """
    network, start = LinearNetwork(2, SIDE), lattice_picture(3)
    weight = (network.layer.weight[0] - network.layer.weight[1]).detach().reshape(1, 3, SIDE, SIDE)
    helping = torch.where(weight < 0, 1 - start, -start)
    change = torch.zeros_like(start)
    chosen = (helping[:, 0] * -weight[:, 0]).flatten().topk(20).indices
    change[:, 0].view(-1)[chosen] = helping[:, 0].view(-1)[chosen]
    change[:, 1].view(-1)[chosen] = -(helping[:, 1] / 2 * 255).round().view(-1)[chosen] / 255 / 4
    gain = -(weight * change).sum()
    with torch.no_grad():
        odds = network(start)[0, 0] - network(start)[0, 1]
        network.layer.bias[0] += gain - 5e-4 - odds
    classifier = Classifier(network, unnormalised(2, SIDE))
    assert gain > 0 and classifier.logits(start).argmax() == 0
    best = verified_best(classifier, start, to_lattice(start + change) - start, norm="l0")
    assert best.won
    moved = (best.pictures != start).any(dim=1).flatten()
    assert set(moved.nonzero().flatten().tolist()) <= set(chosen.tolist())


def test_a_change_that_does_not_win_is_told_as_it_is(classifier: Classifier, weight: Tensor) -> None:
    """The rounded picture of the lower loss, verified as not winning."""
    start = lattice_picture(0)
    gap, direction = away(classifier, start, weight)
    best = verified_best(classifier, start, direction * 0.9 * gap / weight.norm() ** 2, norm="l2")
    assert not best.won
    labels = classifier.logits(start).argmax(dim=1)
    assert margin(classifier.logits(best.pictures), labels) <= margin(classifier.logits(start), labels)


def test_in_a_hurry_it_asks_twelve_times_at_most(classifier: Classifier, weight: Tensor) -> None:
    """When time is up the change is doubled until its rounding wins, and what is left of the looks makes it smaller."""
    start = lattice_picture(2)
    gap, direction = away(classifier, start, weight)
    passes, network = Passes(), Counting(classifier)
    change = direction * 1.001 * gap / weight.norm() ** 2
    best = verified_best(network, start, change, norm="l2", quickly=True, passes=passes)
    assert best.won
    assert by("l2")(best.pictures - start) <= 1.1 * least_l2(gap, weight)
    assert network.backward == 0
    assert passes.forward == network.forward <= 2 + 12
