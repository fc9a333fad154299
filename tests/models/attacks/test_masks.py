"""Tests masks and boxes that say which pixels an attack may change."""

import pytest
import torch

from models.attacks.masks import BadMask, mask_of_box, mask_of_picture


def test_a_mask_is_true_where_its_picture_is_light() -> None:
    """The mean of the channels decides: 127 is dark and 128 is light."""
    picture = torch.tensor([[[0, 127, 128, 255]]], dtype=torch.uint8).expand(3, 2, 4)
    assert mask_of_picture(picture, 2, 4).tolist() == [[False, False, True, True]] * 2


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(BadMask, match="it has 4 x 2 pixels and the picture 4 x 3"):
        mask_of_picture(torch.full((3, 2, 4), 255, dtype=torch.uint8), 3, 4)


def test_a_mask_that_allows_nothing_is_refused() -> None:
    with pytest.raises(BadMask, match="dark everywhere"):
        mask_of_picture(torch.zeros(3, 2, 4, dtype=torch.uint8), 2, 4)


def test_a_box_is_true_inside() -> None:
    """The box starts at left 1, top 0 and is 2 wide and 1 high, in a picture of 4 x 2."""
    assert mask_of_box("1,0, 2,1", 2, 4).tolist() == [[False, True, True, False], [False] * 4]


@pytest.mark.parametrize("box", ["0,0,0,1", "3,0,2,1", "0,0,4,3", "9,9,1,1"])
def test_a_box_beyond_the_picture_is_refused(box: str) -> None:
    with pytest.raises(BadMask, match="does not lie in a picture of 4 x 2"):
        mask_of_box(box, 2, 4)


@pytest.mark.parametrize("box", ["", "1,2,3", "1,2,3,4,5", "-1,0,2,2", "a,b,c,d", "1.5,0,2,2", "nan,0,2,2", "9" * 99])
def test_a_malformed_box_is_refused(box: str) -> None:
    with pytest.raises(BadMask, match="left,top,width,height in pixels"):
        mask_of_box(box, 2, 4)
