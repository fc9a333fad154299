"""Tests the geometry of the random crops that a network gets of a picture while it is drawn."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.ideal.crops import random_crops
from tests.networks import unnormalised


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(side: int) -> Tensor:
    """Return x, y and x + y as three channels, from -1 to 1 between the outer edges as in affine_grid."""
    line = (torch.arange(side) + 0.5) * 2 / side - 1
    across, down = line.expand(side, side), line.reshape(-1, 1).expand(side, side)
    return torch.stack([across, down, across + down]).unsqueeze(0)


STILL = {"smallest": 1.0, "largest": 1.0, "turn": 0.0}


@pytest.mark.parametrize("side", [16, 33])
def test_a_whole_unrotated_crop_is_the_picture_or_its_mirror_image(side: int) -> None:
    """Each of twenty crops equals the picture or its mirror image, and both occur."""
    picture = torch.rand(1, 3, side, side, generator=generator())
    crops = random_crops(picture, 20, unnormalised(2, side), generator(1), **STILL)
    mirrored = [bool((crop - picture[0].flip(2)).abs().max() < 1e-5) for crop in crops]
    for crop, is_mirrored in zip(crops, mirrored, strict=True):
        torch.testing.assert_close(crop, picture[0].flip(2) if is_mirrored else picture[0], rtol=0, atol=1e-5)
    assert 4 <= sum(mirrored) <= 16


def test_a_crop_of_half_the_side_spans_half_the_picture() -> None:
    """On a ramp from -1 to 1 such a crop spans 1, lies inside the picture, and its position varies."""
    crops = random_crops(ramp(64), 50, unnormalised(2, 32), generator(), **STILL | {"smallest": 0.5, "largest": 0.5})
    across = crops[:, 0]
    # The centres of 32 pixels span 31/32 of the crop.
    torch.testing.assert_close(
        (across[:, 0, -1] - across[:, 0, 0]).abs(), torch.full((50,), 31 / 32), rtol=0, atol=1e-4
    )
    assert crops[:, :2].abs().max() <= 1
    centres = across.mean(dim=(1, 2))
    assert centres.min() < -0.3
    assert centres.max() > 0.3
    assert centres.abs().max() <= 0.5 + 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_a_crop_is_only_rotated_scaled_and_mirrored(seed: int) -> None:
    """On ramps of x and y, the derivatives across and down have equal lengths within the bounds and a right angle."""
    crops = random_crops(ramp(64), 40, unnormalised(2, 64), generator(seed), smallest=0.5)
    middle = slice(24, 40)  # far from the edges, where reflection would bend the ramps
    middle_pixels = crops[..., middle, middle]
    across = (middle_pixels[..., 1:] - middle_pixels[..., :-1]).mean(dim=(2, 3))[:, :2] * 32
    down = (middle_pixels[..., 1:, :] - middle_pixels[..., :-1, :]).mean(dim=(2, 3))[:, :2] * 32
    side = across.norm(dim=1)
    torch.testing.assert_close(side, down.norm(dim=1), rtol=0, atol=2e-3)
    torch.testing.assert_close((across * down).sum(dim=1), torch.zeros(40), rtol=0, atol=2e-3)
    assert side.min() >= 0.5 - 2e-3
    assert side.max() <= 1.2 + 2e-3
    assert side.max() - side.min() > 0.4
    # The picture is never upside down, only mirrored left to right.
    angle = torch.atan2(-down[:, 0], down[:, 1]).rad2deg()
    assert angle.abs().max() <= 10.1
    assert angle.abs().max() > 5
    assert 5 < (across[:, 0] < 0).sum() < 35


def test_a_crop_beyond_the_edges_is_filled_by_reflection() -> None:
    """At side 1.2 a ramp from -1 to 1 would leave its range; reflected, it stays within and changes direction."""
    crops = random_crops(ramp(64), 20, unnormalised(2, 64), generator(), **STILL | {"smallest": 1.2, "largest": 1.2})[
        :, 0
    ]
    assert crops.abs().max() <= 1
    steps = crops[:, 32, 1:] - crops[:, 32, :-1]
    assert ((steps > 1e-3).any(dim=1) & (steps < -1e-3).any(dim=1)).all()


@given(seed=st.integers(0, 99), colour=st.floats(0, 1), side=st.integers(8, 100))
def test_crops_of_one_colour_have_only_that_colour(seed: int, colour: float, side: int) -> None:
    """No other colour, such as a black border, appears at any edge."""
    crops = random_crops(torch.full((1, 3, side, side), colour), 4, unnormalised(2, 16), generator(seed))
    assert crops.shape == (4, 3, 16, 16)
    assert (crops - colour).abs().max() < 1e-5


def test_a_large_picture_is_antialiased() -> None:
    """With noise at eight times the input size, every pixel of a crop is a mean of dozens of pixels, not of four.

    The mean of four uniform values deviates by 0.289 / 2 = 0.144, that of dozens by less than a third of it.
    """
    crops = random_crops(
        torch.rand(1, 3, 128, 128, generator=generator()), 4, unnormalised(2, 16), generator(), **STILL
    )
    assert 0.01 < crops.std() < 0.06
    assert abs(crops.mean() - 0.5) < 0.02


def test_gradients_reach_the_picture() -> None:
    picture = torch.rand(1, 3, 20, 20, generator=generator()).requires_grad_()
    random_crops(picture, 8, unnormalised(2, 20), generator()).sum().backward()
    assert picture.grad is not None
    # The gradients of eight crops of 400 pixels sum to 3200 in every channel, wherever the crops lie.
    torch.testing.assert_close(picture.grad.sum(dim=(2, 3)), torch.full((1, 3), 3200.0), rtol=1e-4, atol=0)


def test_the_same_seed_gives_the_same_crops() -> None:
    picture = torch.rand(1, 3, 20, 20, generator=generator())
    one, again, other = (random_crops(picture, 3, unnormalised(2, 16), generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_by_default_a_crop_has_0_35_to_1_2_of_the_side() -> None:
    """The sides of 200 crops, measured on ramps, come close to 0.35 and 1.2 and are never beyond."""
    crops = random_crops(ramp(64), 200, unnormalised(2, 64), generator())[..., 28:36, 28:36]
    across = (crops[..., 1:] - crops[..., :-1]).mean(dim=(2, 3))[:, :2] * 32
    side = across.norm(dim=1)
    assert 0.345 <= side.min() < 0.4 and 1.15 < side.max() <= 1.205
