"""Tests drawing a heat map over a photo, darkened where preprocessing cuts it off."""

import torch

from models.colour_map import coloured
from models.overlay import MOST_SIDE, UNSEEN, overlay
from models.spec import Spec

SPEC = Spec("resnet18", ("a", "b"), input_size=32, resize=40)


def test_without_heat_the_overlay_is_the_photo_in_grey() -> None:
    """A grey photo of 40 x 80 pixels is unchanged in the middle 32 x 32, the crop, and darker around it."""
    pixels = overlay(torch.full((3, 40, 80), 200, dtype=torch.uint8), torch.zeros(32, 32), SPEC)
    assert pixels.shape == (3, 40, 80)
    in_crop = torch.zeros(40, 80, dtype=torch.bool)
    in_crop[4:36, 24:56] = True
    assert (pixels[:, in_crop] == 200).all() and (pixels[:, ~in_crop] == round(200 * UNSEEN)).all()


def test_colours_are_shown_as_grey() -> None:
    """Green has the weight 0.587 in grey, so a green of 100 becomes a grey of 59."""
    picture = torch.zeros(3, 40, 40, dtype=torch.uint8)
    picture[1] = 100
    pixels = overlay(picture, torch.zeros(32, 32), SPEC)
    assert (pixels[:, 20, 20] - torch.tensor([59, 59, 59])).abs().max() <= 1


def test_heat_is_drawn_where_the_network_saw_it() -> None:
    """Heat on the left half of the input covers the left half of the crop of a photo of twice its size."""
    heat = torch.zeros(32, 32)
    heat[:, :16] = 1
    pixels = overlay(torch.zeros(3, 80, 80, dtype=torch.uint8), heat, SPEC).float()
    warm = pixels.sum(dim=0) > 300
    assert warm[8:72, 8:38].all() and not warm[:, 42:].any() and not warm[:, :8].any() and not warm[:8].any()
    hottest = coloured(torch.ones(1, 1)).float()[:, 0, 0]
    torch.testing.assert_close(pixels[:, 40, 20], (0.8 * hottest).round(), rtol=0, atol=1)


def test_the_overlay_of_a_large_photo_is_reduced() -> None:
    pixels = overlay(torch.zeros(3, 1000, 4000, dtype=torch.uint8), torch.zeros(32, 32), SPEC)
    assert pixels.shape == (3, 400, MOST_SIDE)


def test_the_colour_map_is_inferno() -> None:
    """Matplotlib's inferno is black at 0 and below, pale yellow at 1 and above, and mostly red in between."""
    pixels = coloured(torch.tensor([[-1.0, 0.0, 0.5, 1.0, 2.0]])).int()
    assert pixels[:, 0, 0].tolist() == pixels[:, 0, 1].tolist() == [0, 0, 3]
    assert pixels[:, 0, 3].tolist() == pixels[:, 0, 4].tolist() == [252, 254, 164]
    red, green, blue = pixels[:, 0, 2].tolist()
    assert red > 150 and red > green and red > blue
