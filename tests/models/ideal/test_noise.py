"""Tests the noise that is added to the pixels a network gets."""

import pytest
import torch
from scipy.stats import kstest, normaltest

from models.ideal.noise import Noise

CPU = torch.device("cpu")


def new_noise(most: float, size: int = 48, seed: int = 0) -> Noise:
    return Noise((size, size), most, torch.Generator().manual_seed(seed), CPU)


def test_every_row_has_its_own_strength_up_to_the_maximum() -> None:
    """On 200 grey rows, the standard deviations are spread uniformly from 0 to 0.1, so their mean is 0.05."""
    noise = new_noise(0.1).added_to(torch.full((200, 3, 48, 48), 0.5)) - 0.5
    deviations = noise.std(dim=(1, 2, 3))
    assert deviations.max().item() == pytest.approx(0.1, abs=0.005)
    assert deviations.min().item() < 0.005
    assert deviations.mean().item() == pytest.approx(0.05, abs=0.007)
    assert noise.mean().abs() < 0.002


def test_every_row_and_every_call_has_new_noise() -> None:
    noise = new_noise(0.2)
    grey = torch.full((3, 3, 48, 48), 0.5)
    rows = torch.cat([noise.added_to(grey), noise.added_to(grey)]) - 0.5
    correlation = torch.corrcoef(rows.flatten(1)) - torch.eye(6)
    assert correlation.abs().max() < 0.1


def test_noisy_pixels_stay_between_0_and_1() -> None:
    noisy = new_noise(1.0).added_to(torch.rand(4, 3, 48, 48))
    assert noisy.min() == 0 and noisy.max() == 1


def test_noise_of_zero_changes_nothing() -> None:
    pixels = torch.rand(2, 3, 48, 48)
    assert torch.equal(new_noise(0.0).added_to(pixels), pixels)


def test_a_share_of_the_noise_is_the_same_noise_but_weaker() -> None:
    grey = torch.full((2, 3, 48, 48), 0.5)
    whole, quarter, none = (new_noise(0.1).added_to(grey, share) - 0.5 for share in (1.0, 0.25, 0.0))
    torch.testing.assert_close(quarter, 0.25 * whole, atol=1e-6, rtol=0)
    assert not none.any()


def test_noise_depends_only_on_the_seed() -> None:
    grey = torch.full((3, 3, 48, 48), 0.5)
    one, again, other = (new_noise(0.2, seed=seed).added_to(grey) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_strengths_are_uniform_and_values_normal() -> None:
    """Kolmogorov-Smirnov test of 500 strengths, and D'Agostino-Pearson test of the 30,000 values of one row."""
    deviations = new_noise(0.1, size=32).added_to(torch.full((500, 3, 32, 32), 0.5)).std(dim=(1, 2, 3))
    assert kstest(deviations.numpy() / 0.1, "uniform").pvalue > 0.05
    row = new_noise(0.1, size=100).added_to(torch.full((1, 3, 100, 100), 0.5)) - 0.5
    assert normaltest(row.flatten().numpy()).pvalue > 0.05


def test_noise_of_zero_draws_no_random_numbers() -> None:
    """Crops share the generator, so with noise of 0 they are the same as in a method without noise."""
    random = torch.Generator().manual_seed(0)
    state = random.get_state()
    Noise((48, 48), 0.0, random, CPU).added_to(torch.rand(2, 3, 48, 48, generator=random.clone_state()))
    assert torch.equal(random.get_state(), state)


def test_the_given_pixels_are_not_changed() -> None:
    """The noise is added to a copy that is not part of the autograd graph."""
    pixels = torch.full((2, 3, 48, 48), 0.5, requires_grad=True)
    noisy = new_noise(0.2).added_to(pixels)
    assert not noisy.requires_grad and (pixels == 0.5).all()
