"""Tests norms and projections, on known values and on random pictures."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.attacks.geometry import (
    NORMS,
    PROJECT,
    Norm,
    in_levels,
    largest,
    lattice_epsilon,
    norms,
    project_l0,
    project_l1,
    project_l2,
    project_linf,
    projection,
    size,
    to_lattice,
)
from models.preprocessing import to_float, to_levels


def row(*values: float) -> Tensor:
    return torch.tensor(values).expand(3, 1, len(values))


def test_the_linf_projection_clamps_to_the_ball_and_to_0_and_1() -> None:
    """0.5 may change by at most 0.1; 0.05 and 0.95 stop at black and white."""
    moved, origin = row(0.9, 0.55, 0.1, -0.5, 1.5).unsqueeze(0), row(0.5, 0.5, 0.5, 0.05, 0.95).unsqueeze(0)
    result = project_linf(moved, origin, 0.1)
    torch.testing.assert_close(result[0, 0, 0], torch.tensor([0.6, 0.55, 0.4, 0.0, 1.0]))


@given(seed=st.integers(0, 1000), epsilon=st.floats(0, 1))
def test_the_linf_projection_is_idempotent_and_within_its_bounds(seed: int, epsilon: float) -> None:
    random = torch.Generator().manual_seed(seed)
    origin, moved = torch.rand(2, 3, 4, 4, generator=random), torch.randn(2, 3, 4, 4, generator=random)
    once = project_linf(moved, origin, epsilon)
    assert ((once - origin).abs() <= epsilon + 1e-6).all()
    assert once.min() >= 0
    assert once.max() <= 1
    assert torch.equal(project_linf(once, origin, epsilon), once)


def test_an_epsilon_of_whole_levels_is_not_rounded_down() -> None:
    """8/255 as a float32 or a float64 is 8 levels, not 7, and so for all numbers of levels."""
    for levels in range(1, 256):
        assert lattice_epsilon(levels / 255) == pytest.approx(levels / 255)
        assert lattice_epsilon(torch.tensor(levels / 255).item()) == pytest.approx(levels / 255)
        # Seven decimals, such as 0.0313725 for 8/255, as people and JSON write it.
        assert lattice_epsilon(round(levels / 255, 7)) == pytest.approx(levels / 255)


@given(st.floats(1 / 255, 1))
def test_epsilon_is_rounded_down_to_whole_levels(epsilon: float) -> None:
    """It is less than one level below epsilon, and at most 1e-4 levels above, which a float32 may lose."""
    result = lattice_epsilon(epsilon) * 255
    assert result == pytest.approx(round(result))
    assert epsilon * 255 - 1 < result <= epsilon * 255 + 1.001e-4


def test_the_lattice_holds_the_values_that_a_file_gives_back() -> None:
    """The values are exactly those of the nearest levels after decoding."""
    pixels = torch.rand(2, 3, 50, 50, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    assert torch.equal(to_lattice(pixels), to_float(to_levels(pixels)))


def test_norms_of_a_known_change() -> None:
    """Changes of 3 and 4 levels in one pixel and 12 in another give l1 = 19, l2 = 13, linf = 12 and l0 = 2 pixels."""
    origin = torch.full((3, 2, 2), 100, dtype=torch.uint8)
    picture = origin.clone()
    picture[0, 0, 0] += 3
    picture[1, 0, 0] -= 4
    picture[2, 1, 1] += 12
    result = norms(picture, origin)
    assert result == {
        "linf": pytest.approx(12 / 255),
        "l2": pytest.approx(13 / 255),
        "l1": pytest.approx(19 / 255),
        "l0": 2,
    }
    assert math.isclose(result["linf"], 12 / 255, rel_tol=1e-15)


def test_norms_of_no_change_and_of_the_largest_change() -> None:
    """Black to white is 1 per value in both directions; differences of unsigned levels must not wrap around."""
    black, white = torch.zeros(3, 4, 5, dtype=torch.uint8), torch.full((3, 4, 5), 255, dtype=torch.uint8)
    assert set(norms(black, black).values()) == {0}
    for origin, picture in ((black, white), (white, black)):
        assert norms(origin, picture) == {
            "linf": 1,
            "l2": pytest.approx(math.sqrt(60)),
            "l1": pytest.approx(60),
            "l0": 20,
        }


def test_a_change_of_epsilon_is_not_above_epsilon() -> None:
    """Clients compare norms.linf <= epsilon in floats, so it must hold for all whole levels."""
    origin = torch.zeros(3, 1, 1, dtype=torch.uint8)
    for levels in range(1, 256):
        assert norms(torch.full_like(origin, levels), origin)["linf"] <= levels / 255


def random_pictures(rows: int, seed: int = 0) -> Tensor:
    return torch.rand(rows, 3, 7, 5, generator=torch.Generator().manual_seed(seed))


def test_sizes_of_known_changes() -> None:
    """One pixel changes by 3, 4 and 0 and another by 12 in one channel: linf 12, l2 13, l1 19 and l0 2; row 2 by 0."""
    change = torch.zeros(2, 3, 4, 4)
    change[0, :, 1, 2] = torch.tensor([3.0, -4.0, 0.0])
    change[0, 1, 3, 3] = 12.0
    assert [size(change, norm).tolist() for norm in NORMS] == [[12, 0], [13, 0], [19, 0], [2, 0]]


@given(seed=st.integers(0, 1000), epsilon=st.floats(0.01, 12))
def test_the_l2_projection_shortens_the_change(seed: int, epsilon: float) -> None:
    """The result is within epsilon in the direction of the change, and a change within epsilon is unchanged."""
    origin, moved = random_pictures(3, seed), random_pictures(3, seed + 1)
    projected = project_l2(moved, origin, epsilon)
    assert (size(projected - origin, "l2") <= epsilon * (1 + 1e-5)).all()
    inside = size(moved - origin, "l2") <= epsilon
    torch.testing.assert_close(projected[inside], moved[inside])
    torch.testing.assert_close(
        torch.cosine_similarity((projected - origin).flatten(1), (moved - origin).flatten(1)), torch.ones(3)
    )


@given(seed=st.integers(0, 1000), epsilon=st.floats(0.05, 30))
@settings(max_examples=50)
def test_the_l1_projection_satisfies_its_optimality_condition(seed: int, epsilon: float) -> None:
    """The nearest point of the L1 ball and of [0, 1] is known by the condition of its optimum.

    There is one threshold t such that every change d becomes sign(d) min(max(|d| - t, 0), distance to 0 or 1).
    """
    origin = random_pictures(1, seed)
    moved = origin + 2 * (random_pictures(1, seed + 1) - 0.5)
    projected = project_l1(moved, origin, epsilon)
    assert projected.min() >= 0 and projected.max() <= 1
    length = size(projected - origin, "l1").item()
    assert length <= epsilon * (1 + 1e-4) + 1e-5
    clamped = moved.clamp(0, 1)
    if size(clamped - origin, "l1").item() <= epsilon:
        torch.testing.assert_close(projected, clamped)
        return
    assert length == pytest.approx(epsilon, rel=1e-4, abs=1e-4)
    change, remaining = (moved - origin).abs(), (projected - origin).abs()
    free = (remaining > 1e-5) & (projected > 1e-5) & (projected < 1 - 1e-5)
    if free.any():
        thresholds = (change - remaining)[free]
        assert thresholds.max() - thresholds.min() < 1e-3
        zeroed = remaining <= 1e-6
        assert (change[zeroed & (clamped != origin)] <= thresholds.max() + 1e-3).all()


@pytest.mark.parametrize("epsilon", [1.0, 50.0, 1e4])
@pytest.mark.parametrize("before", [(), (0.0,), (0.5,), (1.0,), (100.0,), (2.0, math.nan)])
@pytest.mark.parametrize("pattern", ["dense", "sparse"])
def test_the_l1_projection_agrees_with_bisection(pattern: str, before: tuple[float, ...], epsilon: float) -> None:
    """A hundred bisections of the threshold in double precision give the same picture.

    It holds whatever was projected before, since the projection starts from its last threshold: the same change, a
    smaller one, a far larger one, none, or NaN.
    """
    random = torch.Generator().manual_seed(0)
    origin, change = (torch.rand(1, 3, 100, 100, generator=random).double() for _ in range(2))
    change = 3 * change - 1
    if pattern == "sparse":
        change *= torch.rand(change.shape, generator=random) < 0.02
    low, high = 0.0, 3.0
    for _ in range(100):
        middle = (low + high) / 2
        shrunk = change.sign() * (change.abs() - middle).clamp(min=0)
        low, high = (middle, high) if size((origin + shrunk).clamp(0, 1) - origin, "l1") > epsilon else (low, middle)
    project = projection("l1", origin)
    for factor in before:
        project(origin + factor * change, epsilon)
    torch.testing.assert_close(project(origin + change, epsilon), (origin + shrunk).clamp(0, 1), rtol=0, atol=1e-5)


def test_the_l0_projection_keeps_the_most_changed_pixels() -> None:
    """Pixels are ordered by the L2 of their channels; every row has its own budget of pixels, 2, 1 and 0."""
    origin = torch.full((3, 3, 2, 2), 0.5)
    change = torch.zeros(3, 3, 2, 2)
    change[:, 0] = torch.tensor([[0.1, 0.3], [0.2, 0.0]])
    change[:, 1, 0, 0] = 0.25
    projected = project_l0(origin + change, origin, torch.tensor([2.0, 1.0, 0.0])) - origin
    assert (projected != 0).any(dim=1)[0].tolist() == [[True, True], [False, False]]
    assert (projected != 0).any(dim=1)[1].tolist() == [[False, True], [False, False]]
    assert not projected[2].any()
    torch.testing.assert_close(projected[0, 1, 0, 0], torch.tensor(0.25))


@pytest.mark.parametrize("norm", NORMS)
def test_every_row_has_its_own_budget(norm: Norm) -> None:
    """Three rows with three budgets have the same result as every row alone."""
    origin, moved = random_pictures(3, 5), random_pictures(3, 6)
    budgets = torch.tensor([2.0, 4.0, 1.0]) if norm != "linf" else torch.tensor([0.1, 0.2, 0.05])
    together = PROJECT[norm](moved, origin, budgets.reshape(-1, 1, 1, 1) if norm == "linf" else budgets)
    for row in range(3):
        alone = PROJECT[norm](moved[row : row + 1], origin[row : row + 1], budgets[row].item())
        torch.testing.assert_close(together[row : row + 1], alone)


def test_changes_of_equal_linf_are_ordered_by_l2() -> None:
    """On the lattice many changes have the same Linf, so L2 decides between them but never outweighs a whole level."""
    change = torch.zeros(3, 3, 4, 4)
    change[0, 0, 0, 0] = 1 / 255
    change[1] = 1 / 255
    change[2, 0, 0, 0] = 2 / 255
    first, second, third = in_levels("linf")(change).tolist()
    assert first < second < third
    assert torch.equal(in_levels("l1")(change), size(change, "l1"))


@pytest.mark.parametrize("count", [1, 100, 3000, 50_000])
def test_the_largest_values_agree_with_sorting(count: int) -> None:
    """This includes values that are nearly all 0."""
    values = torch.rand(224 * 224, generator=torch.Generator().manual_seed(0))
    for candidates in (values, values * (values > 0.99)):
        result = candidates[largest(candidates, count)]
        assert torch.equal(result.sort(descending=True).values, candidates.sort(descending=True).values[:count])
