"""Pictures in rows."""

import pytest
import torch

from models.ideal.sheet import GAP, tile


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 2, 2), (5, 3, 2), (12, 4, 3)]
)
def test_a_place_for_each(count: int, columns: int, rows: int) -> None:
    """Pictures of one value each, 5 x 7 pixels: read from left to right, white between and after them."""
    sheet = tile([torch.full((3, 5, 7), number, dtype=torch.uint8) for number in range(count)])
    assert sheet.shape == (3, rows * (5 + GAP) - GAP, columns * (7 + GAP) - GAP)
    for number in range(count):
        top, left = number // columns * (5 + GAP), number % columns * (7 + GAP)
        assert (sheet[:, top : top + 5, left : left + 7] == number).all()
    assert (sheet == 255).sum() == sheet.numel() - count * 3 * 5 * 7


def test_white_is_one_in_float() -> None:
    sheet = tile([torch.zeros(3, 4, 4), torch.zeros(3, 4, 4)])
    assert (sheet[..., 4 : 4 + GAP] == 1).all() and sheet.dtype == torch.float32
