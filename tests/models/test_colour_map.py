"""Tests drawing values in colours, and changes in levels around grey."""

import pytest
import torch

from models.colour_map import Palette, amplified, coloured


@pytest.mark.parametrize(
    ("palette", "dark", "bright"), [("inferno", [0, 0, 3], [252, 254, 164]), ("viridis", [68, 1, 84], [253, 231, 36])]
)
def test_0_is_dark_and_1_is_yellow(palette: Palette, dark: list[int], bright: list[int]) -> None:
    """Values outside have the colours of 0 and 1."""
    pixels = coloured(torch.tensor([[-1.0, 0.0, 1.0, 2.0]]), palette)
    assert pixels[:, 0].T.tolist() == [dark, dark, bright, bright]


def test_the_largest_change_reaches_the_end_of_the_range() -> None:
    """Of the changes -4, 0, 1 and 2 (times any factor) the first is 0, and the others are 128 and what is above it."""
    change = torch.tensor([-4.0, 0.0, 1.0, 2.0]).reshape(1, 1, 4).expand(3, 1, 4)
    for factor in (1e-30, 1e-3, 1.0):
        assert amplified(factor * change)[0, 0].tolist() == [0, 128, 159, 191]


def test_no_change_is_grey() -> None:
    assert amplified(torch.zeros(3, 2, 2)).unique().tolist() == [128]
