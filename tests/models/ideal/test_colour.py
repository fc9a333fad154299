"""Tests mapping the drawn planes to colours."""

import pytest
import torch

from models.ideal.colour import DECORRELATED, colours


def test_planes_of_zero_are_middle_grey() -> None:
    for planes in (1, 3):
        assert colours(torch.zeros(planes, 4, 4)).unique().tolist() == [0.5]


def test_one_plane_gives_grey_and_three_planes_are_mixed_to_colours() -> None:
    """One plane gives three channels of its sigmoid; three are first multiplied by a matrix, here its second column."""
    plane = torch.linspace(-4, 4, 16).reshape(1, 4, 4)
    grey = colours(plane)
    assert grey.shape == (1, 3, 4, 4)
    for channel in grey[0]:
        torch.testing.assert_close(channel, 1 / (1 + (-plane[0]).exp()))
    planes = torch.zeros(3, 4, 4)
    planes[1] = 2.0
    red, green, blue = colours(planes)[0, :, 0, 0].tolist()
    expected = torch.tensor([2 * 0.09 / 0.462, 0.0, -2 * 0.09 / 0.462]).sigmoid().tolist()
    assert (red, green, blue) == pytest.approx(expected)


def test_the_colours_are_decorrelated() -> None:
    """The first component, along which photos vary most, is grey: its R, G and B are nearly equal."""
    assert (DECORRELATED[:, 0] - DECORRELATED[:, 0].mean()).abs().max() < 0.02
    # Scaled so that its longest column has length 1.
    assert DECORRELATED.norm(dim=0).max().item() == pytest.approx(1, abs=0.01)
