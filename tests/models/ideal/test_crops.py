"""What a network sees of a picture that is being drawn: geometry by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.ideal.crops import random_crops


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(side: int) -> Tensor:
    """x, y and their sum in three channels, from -1 to 1 between the outer edges, as affine_grid counts."""
    line = (torch.arange(side) + 0.5) * 2 / side - 1
    across, down = line.expand(side, side), line.reshape(-1, 1).expand(side, side)
    return torch.stack([across, down, across + down]).unsqueeze(0)


STILL = {"smallest": 1.0, "largest": 1.0, "turn": 0.0}


@pytest.mark.parametrize("side", [16, 33])
def test_side_1_without_a_turn_is_the_picture_or_its_mirror(side: int) -> None:
    """Twenty crops: each is the identity or the mirror image, and both occur."""
    picture = torch.rand(1, 3, side, side, generator=generator())
    found = random_crops(picture, 20, side, generator(1), **STILL)
    mirrored = [bool((crop - picture[0].flip(2)).abs().max() < 1e-5) for crop in found]
    for crop, is_mirrored in zip(found, mirrored, strict=True):
        torch.testing.assert_close(crop, picture[0].flip(2) if is_mirrored else picture[0], rtol=0, atol=1e-5)
    assert 4 <= sum(mirrored) <= 16


def test_a_half_is_a_half() -> None:
    """Side 0.5 of a ramp from -1 to 1 spans exactly 1 of its 2, lies wholly inside, and moves about."""
    found = random_crops(ramp(64), 50, 32, generator(), **STILL | {"smallest": 0.5, "largest": 0.5})
    across = found[:, 0]
    # 32 pixels' centres span 31/32 of the crop.
    torch.testing.assert_close(
        (across[:, 0, -1] - across[:, 0, 0]).abs(), torch.full((50,), 31 / 32), rtol=0, atol=1e-4
    )
    assert found[:, :2].abs().max() <= 1
    centres = across.mean(dim=(1, 2))
    assert centres.min() < -0.3
    assert centres.max() > 0.3
    assert centres.abs().max() <= 0.5 + 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_any_crop_turns_and_scales_and_does_nothing_else(seed: int) -> None:
    """On ramps of x and y the crop's slopes are side x a rotation: equal lengths, a right angle, within the bounds."""
    found = random_crops(ramp(64), 40, 64, generator(seed), smallest=0.5)
    middle = slice(24, 40)  # far from the edges, where reflection would bend the ramps
    shown = found[..., middle, middle]
    across = (shown[..., 1:] - shown[..., :-1]).mean(dim=(2, 3))[:, :2] * 32
    down = (shown[..., 1:, :] - shown[..., :-1, :]).mean(dim=(2, 3))[:, :2] * 32
    side = across.norm(dim=1)
    torch.testing.assert_close(side, down.norm(dim=1), rtol=0, atol=2e-3)
    torch.testing.assert_close((across * down).sum(dim=1), torch.zeros(40), rtol=0, atol=2e-3)
    assert side.min() >= 0.5 - 2e-3
    assert side.max() <= 1.2 + 2e-3
    assert side.max() - side.min() > 0.4
    # Down stays down: the picture is never upside down, only mirrored left to right.
    angle = torch.atan2(-down[:, 0], down[:, 1]).rad2deg()
    assert angle.abs().max() <= 10.1
    assert angle.abs().max() > 5
    assert 5 < (across[:, 0] < 0).sum() < 35


def test_edges_are_reflected() -> None:
    """At side 1.2 a ramp from -1 to 1 would reach past its ends; reflected it stays within and turns back."""
    found = random_crops(ramp(64), 20, 64, generator(), **STILL | {"smallest": 1.2, "largest": 1.2})[:, 0]
    assert found.abs().max() <= 1
    steps = found[:, 32, 1:] - found[:, 32, :-1]
    assert ((steps > 1e-3).any(dim=1) & (steps < -1e-3).any(dim=1)).all()


@given(seed=st.integers(0, 99), colour=st.floats(0, 1), side=st.integers(8, 100))
def test_one_colour_stays_one_colour(seed: int, colour: float, side: int) -> None:
    """Nothing foreign, no black border, comes in at any edge."""
    found = random_crops(torch.full((1, 3, side, side), colour), 4, 16, generator(seed))
    assert found.shape == (4, 3, 16, 16)
    assert (found - colour).abs().max() < 1e-5


def test_a_large_picture_is_seen_whole() -> None:
    """Noise at eight times the input size averages out: each pixel seen is of dozens, not of its four neighbours.

    The mean of four uniform values deviates by 0.289 / 2 = 0.144, that of dozens by less than a third of it.
    """
    found = random_crops(torch.rand(1, 3, 128, 128, generator=generator()), 4, 16, generator(), **STILL)
    assert 0.01 < found.std() < 0.06
    assert abs(found.mean() - 0.5) < 0.02


def test_gradients_reach_the_picture() -> None:
    picture = torch.rand(1, 3, 20, 20, generator=generator()).requires_grad_()
    random_crops(picture, 8, 20, generator()).sum().backward()
    assert picture.grad is not None
    # Eight crops of 400 pixels weigh 3200 in each channel, wherever they lie.
    torch.testing.assert_close(picture.grad.sum(dim=(2, 3)), torch.full((1, 3), 3200.0), rtol=1e-4, atol=0)


def test_the_same_seed_gives_the_same_crops() -> None:
    picture = torch.rand(1, 3, 20, 20, generator=generator())
    one, again, other = (random_crops(picture, 3, 16, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_unless_told_otherwise_a_crop_has_a_third_to_more_than_the_whole() -> None:
    """Of 200 crops' sides, read off the middle of ramps, the ends come near 0.35 and 1.2, and none is beyond."""
    found = random_crops(ramp(64), 200, 64, generator())[..., 28:36, 28:36]
    across = (found[..., 1:] - found[..., :-1]).mean(dim=(2, 3))[:, :2] * 32
    side = across.norm(dim=1)
    assert 0.345 <= side.min() < 0.4 and 1.15 < side.max() <= 1.205
