"""Tests reducing a picture to a thumbnail of levels."""

import pytest
import torch

from app.web.thumbnail import thumbnail


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(400, 800, (80, 160)), (800, 400, (160, 80)), (160, 160, (160, 160)), (20, 30, (20, 30)), (10, 3200, (1, 160))],
)
def test_the_longer_side_is_bounded_with_the_same_proportions(height: int, width: int, size: tuple[int, int]) -> None:
    """A colour is unchanged: 0.2 of 255 is level 51."""
    small = thumbnail(torch.full((3, height, width), 0.2), 160)
    assert tuple(small.shape) == (3, *size)
    assert (small == 51).all()


def test_values_outside_0_and_1_are_clamped() -> None:
    assert thumbnail(torch.tensor([-1.0, 0.5, 2.0]).reshape(3, 1, 1), 160).flatten().tolist() == [0, 128, 255]
