"""Tests the ways to round a float change to levels, and the search for the largest strength within a limit."""

from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.attacks.geometry import LEVEL, Norm, by, in_levels
from models.attacks.roundings import along, capped, fewest, scaled, strongest
from tests.models.attacks.lattice_optimum import lattice_picture


def test_roundings_of_known_changes() -> None:
    """Level 10 changes by 0.4, 0.6 and -1.2: rounded to the nearest, along the gradient, and capped."""
    start = torch.full((1, 3, 1, 1), 10 / 255)
    change = torch.tensor([0.4, 0.6, -1.2]).reshape(1, 3, 1, 1) / 255
    gradients = torch.tensor([-1.0, -3.0, 2.0]).reshape(1, 3, 1, 1)

    def in_levels(picture: Tensor) -> list[int]:
        return (picture * 255).round().flatten().int().tolist()

    assert in_levels(scaled(start, change)(1.0)) == [10, 11, 9]
    assert in_levels(scaled(start, change)(2.0)) == [11, 11, 8]
    assert in_levels(along(start, change, gradients)(1.0)) == [11, 11, 8]
    assert in_levels(capped(start, gradients, 2)(1.0)) == [11, 12, 9]
    assert in_levels(capped(start, gradients, 2)(0.6)) == [10, 11, 9]
    assert in_levels(capped(start, gradients, 2)(9.0)) == [12, 12, 8]
    tall = torch.cat([start, start + LEVEL, start + 2 * LEVEL], dim=2)
    for rounding in (scaled(tall, 0 * tall), along(tall, 0 * tall, 0 * tall), capped(tall, 0 * tall, 1)):
        assert in_levels(rounding(1.0, 2)[:, 0]) == [10, 12], "every other row"
    wide_start = torch.full((1, 3, 1, 2), 10 / 255)
    wide = torch.tensor([[[5.0, 3.0]], [[0.0, 3.0]], [[0.0, 3.0]]]).unsqueeze(0) / 255
    sparse = fewest(wide_start, wide, torch.ones(1, 3, 1, 2))(1.0)
    assert in_levels(sparse) == [10, 13, 10, 13, 10, 13]


@pytest.mark.parametrize("sampled_values", [10**9, 200])
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@given(seed=st.integers(0, 20), share=st.floats(0.01, 30))
@settings(max_examples=15)
def test_the_strongest_within_a_limit_is_found_to_one_percent(
    norm: Norm, sampled_values: int, seed: int, share: float
) -> None:
    """The size at the strength is below the limit and at 1.1 % more it is not, also with 200 sampled values."""
    start = lattice_picture(seed)
    rounding = scaled(start, 0.02 * torch.randn(start.shape, generator=torch.Generator().manual_seed(seed)))
    limit = max(share * by(norm)(rounding(1.0) - start).item(), 1.01 / 255)
    with mock.patch("models.attacks.roundings.SAMPLED_VALUES", sampled_values):
        strength = strongest(rounding, start, by(norm), limit)
    assert 0 < by(norm)(rounding(strength) - start) < limit
    assert by(norm)(rounding(1.011 * strength) - start) >= limit or strength > 2**19


def test_a_sample_that_never_reaches_the_limit_is_not_trusted() -> None:
    """The sampled rows, every third, hardly move at any strength, while all other values move at strength 5."""
    start = torch.full((1, 3, 18, 18), 128 / 255)
    gradients = torch.full_like(start, 0.1)
    gradients[:, :, ::3] = 0
    gradients[:, :, 0, 0] = 1
    rounding, measure = capped(start, gradients, 1), in_levels("linf")
    assert measure(rounding(4.9) - start) < 1.05 < measure(rounding(5.1) - start)
    with mock.patch("models.attacks.roundings.SAMPLED_VALUES", start.numel() // 3):
        assert 4.9 < strongest(rounding, start, measure, 1.05) < 5.1


def test_without_a_strength_within_the_limit_it_is_zero() -> None:
    """The limit is below one level of one value."""
    start = lattice_picture(0)
    rounding = scaled(start, torch.full_like(start, 0.1))
    assert strongest(rounding, start, by("l2"), 0.5 / 255) == 0.0
