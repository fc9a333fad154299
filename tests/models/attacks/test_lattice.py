"""The way from a float attack to a file: the smallest change on the lattice, where the optimum is known."""

import math
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.attacks.geometry import LEVEL, Norm, by, in_levels, norms, to_lattice
from models.attacks.goal import Best, Goal
from models.attacks.lattice import along, at_once, capped, fewest, scaled, settle, strongest
from models.attacks.objectives import SETTLED, margin
from models.classifier import Classifier
from models.preprocessing import to_levels
from models.query import Passes, Task
from models.run import run
from tests.networks import Counting, LinearNetwork, unnormalised

SIDE = 16


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Two classes, linear: the odds' gradient is one and the same picture everywhere."""
    return Classifier(LinearNetwork(2, SIDE), unnormalised(2, SIDE))


@pytest.fixture(scope="module")
def weight() -> Tensor:
    layer = LinearNetwork(2, SIDE).layer.weight.detach()
    return (layer[0] - layer[1]).reshape(1, 3, SIDE, SIDE)


def a_picture(seed: int) -> Tensor:
    """On the lattice, and so far from black and white that no change of a few levels reaches them."""
    random = torch.Generator().manual_seed(seed)
    return torch.randint(60, 196, (1, 3, SIDE, SIDE), generator=random).float() / 255


def settled(
    classifier: Classifier | Counting,
    start: Tensor,
    change: Tensor,
    *,
    norm: Norm,
    epsilon: float | None = None,
    hurried: bool = False,
    passes: Passes | None = None,
) -> Best:
    """What becomes of a float change away from the class that the start is taken for."""
    inner = classifier.classifier if isinstance(classifier, Counting) else classifier
    labels = inner.logits(start).argmax(dim=1)

    def task() -> Task[Best]:
        float_goal = Goal(labels, False, lambda pixels: pixels, passes or Passes())
        goal = Goal(labels, False, lambda pixels: pixels, float_goal.passes, confidence=SETTLED)
        first = yield from goal.look(start, gradients=False)
        best = Best(float_goal, start, first, measure=by(norm) if epsilon is None else None)
        best.update((yield from float_goal.look(start + change, gradients=False)))
        kept = Best(goal, start, first, measure=in_levels(norm) if epsilon is None else None)
        yield from (
            at_once(best, kept, norm=norm, epsilon=epsilon)
            if hurried
            else settle(best, kept, norm=norm, epsilon=epsilon)
        )
        return kept

    return run(task(), classifier)


def away(classifier: Classifier, start: Tensor, weight: Tensor) -> tuple[float, Tensor]:
    """The margin to lose, and the direction in which it falls."""
    logits = classifier.logits(start)[0]
    gap = (logits[0] - logits[1]).item()
    return abs(gap), -math.copysign(1, gap) * weight


def least_l2(gap: float, weight: Tensor) -> float:
    """The least L2 of whole levels that loses the gap: value i by round(s |w_i|) levels, s as small as can be.

    No other whole levels of that length lose more of a linear margin, since each further level of a value costs more
    than its last: those of most gain per cost are taken first.
    """
    gains = weight.abs().flatten().double() / 255
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        moves = (middle * gains).round()
        low, high = (low, middle) if (moves * gains).sum() > gap + SETTLED else (middle, high)
    return (high * gains).round().norm().item() / 255


@pytest.mark.parametrize("seed", range(6))
def test_in_l2_it_is_the_lattices_own_optimum(classifier: Classifier, weight: Tensor, seed: int) -> None:
    """Within 1 % of the integer optimum of the linear model, from a float attack's shortest way."""
    start = a_picture(seed)
    gap, direction = away(classifier, start, weight)
    change = direction * 1.001 * gap / weight.norm() ** 2
    kept = settled(classifier, start, change, norm="l2")
    assert kept.won
    assert torch.equal(kept.pictures, to_lattice(kept.pictures))
    found = norms(to_levels(kept.pictures[0]), to_levels(start[0]))["l2"]
    assert found <= 1.01 * least_l2(gap, weight) + 1 / 255 / 10
    assert found >= (gap / weight.norm()).item() * (1 - 1e-5), "no file is nearer than the border"


@pytest.mark.parametrize("seed", range(4))
def test_in_linf_it_is_the_fewest_levels(classifier: Classifier, weight: Tensor, seed: int) -> None:
    """As many as the float optimum rounded up, |margin| / |w|_1; and of those the L2 is no larger than it must be.

    That is by round(s |w|) levels, cut to so many: found within 3 %.
    """
    start = a_picture(seed)
    gap, direction = away(classifier, start, weight)
    optimum = gap / weight.abs().sum().item()
    kept = settled(classifier, start, direction.sign() * 1.001 * optimum, norm="linf")
    levels = math.ceil((gap + SETTLED) / weight.abs().sum().item() * 255)
    change = (to_levels(kept.pictures).int() - to_levels(start).int()).abs()
    assert kept.won and change.max() == levels
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
    start = a_picture(1)
    gap, direction = away(classifier, start, weight)
    strongest = weight.abs() >= weight.abs().flatten().topk(60).values[-1]
    change = direction.sign() * strongest * 1.3 * gap / (weight.abs() * strongest).sum()
    kept, plain = settled(classifier, start, change, norm=norm), to_lattice(start + change)
    assert kept.won
    assert by(norm)(kept.pictures - start) <= by(norm)(plain - start) + 1e-6


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@given(seed=st.integers(0, 50), share=st.floats(0.4, 3))
@settings(max_examples=15)
def test_within_a_budget_it_stays_there(
    classifier: Classifier, weight: Tensor, norm: Norm, seed: int, share: float
) -> None:
    """However large the float change was, the file's is at most the budget; and it says truly whether it wins."""
    start = a_picture(seed)
    gap, direction = away(classifier, start, weight)
    change = direction * share * gap / weight.norm() ** 2
    budget = 2 / 255 if norm == "linf" else by(norm)(change).item()
    kept = settled(classifier, start, change, norm=norm, epsilon=budget)
    assert by(norm)(kept.pictures - start) <= budget * (1 + 1e-4)
    labels = classifier.logits(start).argmax(dim=1)
    assert kept.won.item() == (margin(classifier.logits(kept.pictures), labels) < -SETTLED).item()


def test_what_won_by_a_hair_is_pushed_on_by_its_own_pixels() -> None:
    """Twenty pixels, red as far as it helps, green half as far as it harms: the goal leads by 0.0005, too little.

    Scaled, green alone goes on, and of fewer pixels each is missing; back with green, and no other pixel moves.
    """
    network, start = LinearNetwork(2, SIDE), a_picture(3)
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
    kept = settled(classifier, start, to_lattice(start + change) - start, norm="l0")
    assert kept.won
    moved = (kept.pictures != start).any(dim=1).flatten()
    assert set(moved.nonzero().flatten().tolist()) <= set(chosen.tolist())


def test_a_change_that_does_not_win_is_told_as_it_is(classifier: Classifier, weight: Tensor) -> None:
    """The rounded picture of the lower loss, verified as not winning."""
    start = a_picture(0)
    gap, direction = away(classifier, start, weight)
    kept = settled(classifier, start, direction * 0.9 * gap / weight.norm() ** 2, norm="l2")
    assert not kept.won
    labels = classifier.logits(start).argmax(dim=1)
    assert margin(classifier.logits(kept.pictures), labels) <= margin(classifier.logits(start), labels)


def test_in_a_hurry_it_asks_twelve_times_at_most(classifier: Classifier, weight: Tensor) -> None:
    """When time is up the change is doubled until its rounding wins, and what is left of the looks makes it smaller."""
    start = a_picture(2)
    gap, direction = away(classifier, start, weight)
    passes, network = Passes(), Counting(classifier)
    change = direction * 1.001 * gap / weight.norm() ** 2
    kept = settled(network, start, change, norm="l2", hurried=True, passes=passes)
    assert kept.won
    assert by("l2")(kept.pictures - start) <= 1.1 * least_l2(gap, weight)
    assert network.backward == 0
    assert passes.forward == network.forward <= 2 + 12


def test_the_roundings_by_hand() -> None:
    """Of 10 levels moved by 0.4, 0.6 and -1.2: to the nearest, along the slope, and the largest slope by one level."""
    start = torch.full((1, 3, 1, 1), 10 / 255)
    change = torch.tensor([0.4, 0.6, -1.2]).reshape(1, 3, 1, 1) / 255
    slope = torch.tensor([-1.0, -3.0, 2.0]).reshape(1, 3, 1, 1)

    def in_levels(picture: Tensor) -> list[int]:
        return (picture * 255).round().flatten().int().tolist()

    assert in_levels(scaled(start, change)(1.0)) == [10, 11, 9]
    assert in_levels(scaled(start, change)(2.0)) == [11, 11, 8]
    assert in_levels(along(start, change, slope)(1.0)) == [11, 11, 8]
    assert in_levels(capped(start, slope, 2)(1.0)) == [11, 12, 9]
    assert in_levels(capped(start, slope, 2)(0.6)) == [10, 11, 9]
    assert in_levels(capped(start, slope, 2)(9.0)) == [12, 12, 8]
    tall = torch.cat([start, start + LEVEL, start + 2 * LEVEL], dim=2)
    for made in (scaled(tall, 0 * tall), along(tall, 0 * tall, 0 * tall), capped(tall, 0 * tall, 1)):
        assert in_levels(made(1.0, 2)[:, 0]) == [10, 12], "every other row"
    wide_start = torch.full((1, 3, 1, 2), 10 / 255)
    wide = torch.tensor([[[5.0, 3.0]], [[0.0, 3.0]], [[0.0, 3.0]]]).unsqueeze(0) / 255
    kept = fewest(wide_start, wide, torch.ones(1, 3, 1, 2))(1.0)
    assert in_levels(kept) == [10, 13, 10, 13, 10, 13]


@pytest.mark.parametrize("measured", [10**9, 200])
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@given(seed=st.integers(0, 20), share=st.floats(0.01, 30))
@settings(max_examples=15)
def test_the_strongest_within_a_limit_is_found_to_one_percent(
    norm: Norm, measured: int, seed: int, share: float
) -> None:
    """It measures less than the limit, and one percent more does not; also with a guess by 200 of 768 values."""
    start = a_picture(seed)
    rounding = scaled(start, 0.02 * torch.randn(start.shape, generator=torch.Generator().manual_seed(seed)))
    limit = max(share * by(norm)(rounding(1.0) - start).item(), 1.01 / 255)
    with mock.patch("models.attacks.lattice.MEASURED", measured):
        strength = strongest(rounding, start, by(norm), limit)
    assert 0 < by(norm)(rounding(strength) - start) < limit
    assert by(norm)(rounding(1.011 * strength) - start) >= limit or strength > 2**19


def test_a_guess_by_rows_that_never_reach_the_limit_is_none() -> None:
    """One value moves at strength 1, all but those of every third row at 5: these rows alone are no guide."""
    start = torch.full((1, 3, 18, 18), 128 / 255)
    slope = torch.full_like(start, 0.1)
    slope[:, :, ::3] = 0
    slope[:, :, 0, 0] = 1
    rounding, measure = capped(start, slope, 1), in_levels("linf")
    assert measure(rounding(4.9) - start) < 1.05 < measure(rounding(5.1) - start)
    with mock.patch("models.attacks.lattice.MEASURED", start.numel() // 3):
        assert 4.9 < strongest(rounding, start, measure, 1.05) < 5.1


def test_without_a_strength_within_the_limit_there_is_none() -> None:
    """A limit below one level of one value."""
    start = a_picture(0)
    rounding = scaled(start, torch.full_like(start, 0.1))
    assert strongest(rounding, start, by("l2"), 0.5 / 255) == 0.0
