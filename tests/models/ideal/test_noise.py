"""Noise on what the network sees."""

import pytest
import torch
from scipy.stats import kstest, normaltest

from models.ideal.noise import Noise

CPU = torch.device("cpu")


def made(most: float, size: int = 48, seed: int = 0) -> Noise:
    return Noise(size, most, torch.Generator().manual_seed(seed), CPU)


def test_each_row_has_another_strength_up_to_the_most() -> None:
    """200 rows of grey: standard deviations spread evenly from 0 to 0.1, of mean 0.05."""
    found = made(0.1).added_to(torch.full((200, 3, 48, 48), 0.5)) - 0.5
    deviations = found.std(dim=(1, 2, 3))
    assert deviations.max().item() == pytest.approx(0.1, abs=0.005)
    assert deviations.min().item() < 0.005
    assert deviations.mean().item() == pytest.approx(0.05, abs=0.007)
    assert found.mean().abs() < 0.002


def test_rows_have_other_noise_each_time() -> None:
    noise = made(0.2)
    grey = torch.full((3, 3, 48, 48), 0.5)
    rows = torch.cat([noise.added_to(grey), noise.added_to(grey)]) - 0.5
    correlation = torch.corrcoef(rows.flatten(1)) - torch.eye(6)
    assert correlation.abs().max() < 0.1


def test_pixels_stay_in_their_range() -> None:
    found = made(1.0).added_to(torch.rand(4, 3, 48, 48))
    assert found.min() == 0 and found.max() == 1


def test_none_is_none() -> None:
    seen = torch.rand(2, 3, 48, 48)
    assert torch.equal(made(0.0).added_to(seen), seen)


def test_the_seed_is_all_that_is_random() -> None:
    grey = torch.full((3, 3, 48, 48), 0.5)
    one, again, other = (made(0.2, seed=seed).added_to(grey) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_strengths_are_even_and_values_normal() -> None:
    """By Kolmogorov and Smirnov over 500 rows, and by D'Agostino and Pearson over the 30,000 values of one."""
    deviations = made(0.1, size=32).added_to(torch.full((500, 3, 32, 32), 0.5)).std(dim=(1, 2, 3))
    assert kstest(deviations.numpy() / 0.1, "uniform").pvalue > 0.05
    row = made(0.1, size=100).added_to(torch.full((1, 3, 100, 100), 0.5)) - 0.5
    assert normaltest(row.flatten().numpy()).pvalue > 0.05


def test_none_draws_nothing() -> None:
    """So crops, which share the generator, are the same as in a method without noise."""
    random = torch.Generator().manual_seed(0)
    state = random.get_state()
    Noise(48, 0.0, random, CPU).added_to(torch.rand(2, 3, 48, 48, generator=random.clone_state()))
    assert torch.equal(random.get_state(), state)


def test_it_leaves_what_it_is_given_alone() -> None:
    """Outside of its graph, and not in its place."""
    seen = torch.full((2, 3, 48, 48), 0.5, requires_grad=True)
    found = made(0.2).added_to(seen)
    assert not found.requires_grad and (seen == 0.5).all()
