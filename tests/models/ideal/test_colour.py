"""From planes to colours."""

import pytest
import torch

from models.ideal.colour import DECORRELATED, colours


def test_nothing_is_middle_grey() -> None:
    for planes in (1, 3):
        assert colours(torch.zeros(planes, 4, 4)).unique().tolist() == [0.5]


def test_one_plane_is_grey_and_three_are_mixed() -> None:
    """One: three equal channels of its sigmoid. Three: the matrix first, by hand for the second plane alone."""
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
    """The first component, along which photos vary most, is grey within a few hundredths: R, G and B together."""
    assert (DECORRELATED[:, 0] - DECORRELATED[:, 0].mean()).abs().max() < 0.02
    # Scaled so that its longest column has length 1.
    assert DECORRELATED.norm(dim=0).max().item() == pytest.approx(1, abs=0.01)
