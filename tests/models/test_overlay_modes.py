"""Tests that heat is drawn over the part of the photo that the network sees, for every kind of preprocessing."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.overlay import UNSEEN, overlay
from models.preprocessing import input_sides, preprocess
from models.spec import Spec


def spec_of(**fields: Any) -> Spec:
    return Spec("linear", ("a", "b"), **{"input_size": (24, 36), "resize": (24, 36), **fields})


def grey(height: int, width: int) -> Tensor:
    return torch.full((3, height, width), 200, dtype=torch.uint8)


def seen(pixels: Tensor) -> Tensor:
    """Where a grey photo without heat is as bright as before; everywhere else it is darkened."""
    bright, dark = (pixels == 200).all(dim=0), (pixels == round(200 * UNSEEN)).all(dim=0)
    assert (bright | dark).all()
    return bright


def box(height: int, width: int, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[slice(*rows), slice(*columns)] = True
    return inside


@pytest.mark.parametrize(
    ("fields", "size", "rows", "columns"),
    [
        ({}, (48, 144), (0, 48), (36, 108)),  # 24 x 72, of which the middle 36 are seen
        ({}, (96, 72), (24, 72), (0, 72)),
        ({"resize": (48, 72)}, (96, 144), (24, 72), (36, 108)),
        ({"resize_mode": "squash"}, (50, 50), (0, 50), (0, 50)),
        ({"resize_mode": "squash", "resize": (32, 40)}, (64, 160), (8, 56), (8, 152)),
        ({"resize_mode": "pad"}, (48, 144), (0, 48), (0, 144)),
        ({"resize_mode": "pad", "resize": (48, 72)}, (48, 144), (0, 48), (36, 108)),  # 24 x 72 and cropped
    ],
)
def test_without_heat_the_part_that_is_seen_stays_bright(
    fields: dict[str, Any], size: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    pixels = overlay(grey(*size), torch.zeros(24, 36), spec_of(**fields))
    assert torch.equal(seen(pixels), box(*size, rows, columns))


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    mode=st.sampled_from(["crop", "squash", "pad"]),
    margin=st.integers(0, 20),
)
def test_the_bright_part_is_that_of_the_preprocessing(height: int, width: int, mode: str, margin: int) -> None:
    """Rounded to whole pixels, at least one; a strip of one pixel is drawn as well."""
    spec = spec_of(resize_mode=mode, resize=(24 + margin, 36 + margin))
    bright = seen(overlay(grey(height, width), torch.zeros(24, 36), spec))
    for dimension, side in enumerate(input_sides((height, width), spec)):
        begin, end = side.seen
        shown = bright.any(dim=1 - dimension).nonzero()
        assert abs(int(shown[0]) - begin) <= 1 and abs(int(shown[-1]) + 1 - end) <= 1
    assert bright.sum() == bright.any(dim=1).sum() * bright.any(dim=0).sum(), "a rectangle"


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (48, 144)),
        ({"resize_mode": "squash", "resize": (32, 40)}, (160, 64)),
        ({"resize_mode": "pad"}, (96, 48)),
        ({"resize_mode": "pad", "resize": (30, 50)}, (70, 200)),
    ],
)
@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_heat_is_drawn_where_the_network_saw_it(
    fields: dict[str, Any], size: tuple[int, int], corner: tuple[int, int]
) -> None:
    """A white patch in a black photo makes the input bright at some place; heat at this place is drawn on the patch."""
    spec = spec_of(**fields)
    spots = []
    for side, which in zip(input_sides(size, spec), corner, strict=True):
        begin, end = side.seen
        spots.append(round(begin + (0.75 if which else 0.25) * (end - begin)))
    photo = torch.zeros(3, *size)
    photo[:, spots[0] - 4 : spots[0] + 4, spots[1] - 4 : spots[1] + 4] = 1
    heat = preprocess(photo.unsqueeze(0), spec)[0, 0]
    pixels = overlay(torch.zeros(3, *size, dtype=torch.uint8), heat, spec).float().sum(dim=0)
    down, across = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    centre = [(pixels * position).sum() / pixels.sum() for position in (down + 0.5, across + 0.5)]
    assert [position.item() for position in centre] == pytest.approx(spots, abs=1.5)


def test_heat_in_the_padding_is_not_drawn() -> None:
    """The input shows the photo in the middle third of its rows."""
    spec = spec_of(resize_mode="pad")
    heat = torch.ones(24, 36)
    heat[8:16] = 0
    assert not seen(overlay(grey(20, 90), heat, spec)).logical_not().any()
