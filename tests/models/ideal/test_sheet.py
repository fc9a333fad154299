"""Tests arranging pictures in rows on one sheet."""

import pytest
import torch

from models.ideal.sheet import GAP, tile


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 2, 2), (5, 3, 2), (12, 4, 3)]
)
def test_every_picture_has_its_place_on_the_sheet(count: int, columns: int, rows: int) -> None:
    """Pictures of 5 x 7 equal pixels are placed from left to right, row by row; all else is white."""
    sheet = tile([torch.full((3, 5, 7), number, dtype=torch.uint8) for number in range(count)])
    assert sheet.shape == (3, rows * (5 + GAP) - GAP, columns * (7 + GAP) - GAP)
    for number in range(count):
        top, left = number // columns * (5 + GAP), number % columns * (7 + GAP)
        assert (sheet[:, top : top + 5, left : left + 7] == number).all()
    assert (sheet == 255).sum() == sheet.numel() - count * 3 * 5 * 7


def test_white_is_1_for_float_pictures() -> None:
    sheet = tile([torch.zeros(3, 4, 4), torch.zeros(3, 4, 4)])
    assert (sheet[..., 4 : 4 + GAP] == 1).all() and sheet.dtype == torch.float32
