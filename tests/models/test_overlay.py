"""Heat on a photo: where the network looked, and where it did not."""

import torch

from models.colour_map import coloured
from models.overlay import MOST_SIDE, UNSEEN, overlay
from models.spec import Spec

SPEC = Spec("resnet18", ("a", "b"), input_size=32, resize=40)


def test_without_heat_it_is_the_photo_in_grey() -> None:
    """40 x 80 pixels of one grey: as it is in the middle 32 x 32, dark around it."""
    found = overlay(torch.full((3, 40, 80), 200, dtype=torch.uint8), torch.zeros(32, 32), SPEC)
    assert found.shape == (3, 40, 80)
    seen = torch.zeros(40, 80, dtype=torch.bool)
    seen[4:36, 24:56] = True
    assert (found[:, seen] == 200).all() and (found[:, ~seen] == round(200 * UNSEEN)).all()


def test_colours_become_grey() -> None:
    """Green weighs 0.587."""
    picture = torch.zeros(3, 40, 40, dtype=torch.uint8)
    picture[1] = 100
    found = overlay(picture, torch.zeros(32, 32), SPEC)
    assert (found[:, 20, 20] - torch.tensor([59, 59, 59])).abs().max() <= 1


def test_heat_lies_where_it_was_seen() -> None:
    """The left half of what the network saw of a photo of twice its size."""
    heat = torch.zeros(32, 32)
    heat[:, :16] = 1
    found = overlay(torch.zeros(3, 80, 80, dtype=torch.uint8), heat, SPEC).float()
    warm = found.sum(dim=0) > 300
    assert warm[8:72, 8:38].all() and not warm[:, 42:].any() and not warm[:, :8].any() and not warm[:8].any()
    hottest = coloured(torch.ones(1, 1)).float()[:, 0, 0]
    torch.testing.assert_close(found[:, 40, 20], (0.8 * hottest).round(), rtol=0, atol=1)


def test_a_large_photo_is_shown_smaller() -> None:
    found = overlay(torch.zeros(3, 1000, 4000, dtype=torch.uint8), torch.zeros(32, 32), SPEC)
    assert found.shape == (3, 400, MOST_SIDE)


def test_colours_by_hand() -> None:
    """Matplotlib's inferno: black at 0, pale yellow at 1, beyond them the same; in between red is strongest."""
    found = coloured(torch.tensor([[-1.0, 0.0, 0.5, 1.0, 2.0]])).int()
    assert found[:, 0, 0].tolist() == found[:, 0, 1].tolist() == [0, 0, 3]
    assert found[:, 0, 3].tolist() == found[:, 0, 4].tolist() == [252, 254, 164]
    red, green, blue = found[:, 0, 2].tolist()
    assert red > 150 and red > green and red > blue
