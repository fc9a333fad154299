"""Tests preprocessing of every resize mode against timm's and torchvision's transforms."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from models.preprocessing import input_matrices, input_sides, padding_of, preprocess, reduction, to_float
from models.resize import KERNELS
from models.spec import Spec
from tests.conftest import Draw

PADDING = (0.2, 0.5, 0.9)
MODES = {"center": "crop", "squash": "squash", "border": "pad"}
"""timm's names of the resize modes."""
SIZES = [(300, 451), (451, 300), (61, 47), (80, 120), (90, 400), (48, 64)]
"""Landscape, portrait, smaller than the input in one or both directions, in its proportions, a strip, of its size."""


def spec_of(**fields: Any) -> Spec:
    return Spec("squeezenet1_1", ("a", "b"), **{"mean": (0.0,) * 3, "std": (1.0,) * 3, "padding": PADDING, **fields})


def noise(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def timms(picture: Tensor, input_size: tuple[int, int], **options: Any) -> Tensor:
    """What timm's transform for evaluation makes of the picture: levels from 0 to 255."""
    transform = pytest.importorskip("timm.data", reason="timm is not installed").create_transform(
        input_size=(3, *input_size), is_training=False, normalize=False, mean=PADDING, **options
    )
    levels: Tensor = transform(Image.fromarray(picture.permute(1, 2, 0).numpy()))
    return levels.float()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("crop_pct", [1.0, 0.875])
@pytest.mark.parametrize("input_size", [(48, 48), (48, 64), (80, 40)])
@pytest.mark.parametrize("crop_mode", MODES)
def test_modes_are_those_of_timm(
    draw: Draw, crop_mode: str, input_size: tuple[int, int], crop_pct: float, size: tuple[int, int]
) -> None:
    """Pillow rounds to 8 bits after each direction, so values differ by a level at most; timm rounds the padding."""
    resize = tuple(math.floor(side / crop_pct) for side in input_size)
    spec = spec_of(input_size=input_size, resize=resize, resize_mode=MODES[crop_mode])
    picture = draw(*size)
    expected = timms(picture, input_size, crop_mode=crop_mode, crop_pct=crop_pct, interpolation="bilinear")
    ours = preprocess(to_float(picture).unsqueeze(0), spec)[0] * 255
    torch.testing.assert_close(ours, expected, rtol=0, atol=1.01)


@pytest.mark.parametrize(("beside", "nearest", "down"), [(1, 0, 0), (2, 1, 1), (3, 2, 1), (5, 2, 2), (7, 4, 3)])
def test_a_centre_between_two_pixels_begins_at_the_even_one_or_at_the_first(
    beside: int, nearest: int, down: int
) -> None:
    """By hand: half of 3 is 1.5, which torchvision rounds to 2, and transformers to 1."""
    size = (48, 48 + beside)
    for crop_down, first in ((False, nearest), (True, down)):
        spec = spec_of(input_size=48, resize=48, crop_down=crop_down)
        assert input_sides(size, spec)[1].first == first
        picture = torch.arange(48.0 + beside).expand(1, 3, 48, -1) / 255
        assert 255 * preprocess(picture, spec)[0, 0, 0, 0] == pytest.approx(first, abs=1e-4)
        rows, columns, _ = input_matrices(size, spec)
        torch.testing.assert_close(rows @ picture @ columns.T, preprocess(picture, spec))


@pytest.mark.parametrize("interpolation", KERNELS)
@pytest.mark.parametrize("crop_mode", MODES)
def test_interpolations_are_those_of_timm(draw: Draw, crop_mode: str, interpolation: str) -> None:
    """The errors of a first rounding are larger by the sum of absolute weights, up to 1.5, where some are negative."""
    picture = draw(97, 143)
    spec = spec_of(input_size=(40, 50), resize=(44, 55), resize_mode=MODES[crop_mode], interpolation=interpolation)
    expected = timms(picture, (40, 50), crop_mode=crop_mode, crop_pct=10 / 11, interpolation=interpolation)
    ours = preprocess(to_float(picture).unsqueeze(0), spec)[0] * 255
    torch.testing.assert_close(ours, expected, rtol=0, atol=1.3 if interpolation in ("bicubic", "lanczos") else 1.01)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@given(height=st.integers(1, 150), width=st.integers(1, 150))
@settings(max_examples=20)
def test_a_squashed_picture_is_torchvisions_resize_to_both_sides(
    interpolation: str, antialias: bool, height: int, width: int
) -> None:
    spec = spec_of(
        input_size=(24, 40), resize=(30, 44), resize_mode="squash", interpolation=interpolation, antialias=antialias
    )
    pixels = noise(height, width)
    resized = functional.resize(pixels, [30, 44], interpolation=InterpolationMode(interpolation), antialias=antialias)
    expected = functional.center_crop(resized, [24, 40]).clamp(0, 1)
    torch.testing.assert_close(preprocess(pixels, spec), expected, rtol=0, atol=5e-5)


@pytest.mark.parametrize(("size", "inside"), [((30, 90), (16, 48)), ((90, 30), (48, 16)), ((1, 400), (1, 48))])
def test_the_padding_has_its_colour_and_the_rest_is_the_picture(size: tuple[int, int], inside: tuple[int, int]) -> None:
    """Of a red picture the input shows this much, in the middle; a line of one pixel stays one pixel high."""
    spec = spec_of(input_size=48, resize=48, resize_mode="pad")
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1).expand(1, 3, *size)
    top, left = ((48 - side) // 2 for side in inside)
    expected = torch.tensor(PADDING).reshape(1, 3, 1, 1).repeat(1, 1, 48, 48)
    expected[:, 0, top : top + inside[0], left : left + inside[1]] = 1
    expected[:, 1:, top : top + inside[0], left : left + inside[1]] = 0
    torch.testing.assert_close(preprocess(red, spec), expected)


def test_only_pictures_that_leave_a_margin_are_padded() -> None:
    """A square one fills a square input, and black padding (the default) needs nothing to be added."""
    spec = spec_of(input_size=48, resize=48, resize_mode="pad")
    assert torch.equal(padding_of((30, 30), spec), torch.zeros(3, 48, 48))
    assert padding_of((30, 90), spec_of(input_size=48, resize=48, resize_mode="pad", padding=(0.0,) * 3)) is None
    assert padding_of((30, 90), spec_of(input_size=48, resize=48, resize_mode="squash")) is None
    black = spec_of(input_size=48, resize=48, resize_mode="pad", padding=(0.0,) * 3)
    assert not preprocess(torch.ones(1, 3, 30, 90), black)[..., :16, :].any()


GEOMETRY: dict[str, Any] = {
    "height": st.integers(1, 200),
    "aspect": st.floats(1 / 8, 8),
    "input_size": st.tuples(st.integers(16, 60), st.integers(16, 60)),
    "margin": st.integers(0, 20),
    "mode": st.sampled_from(["crop", "squash", "pad"]),
    "interpolation": st.sampled_from(sorted(KERNELS)),
    "antialias": st.booleans(),
}


@given(**GEOMETRY)
@settings(max_examples=100)
def test_the_matrices_and_the_padding_are_the_preprocessing(
    height: int,
    aspect: float,
    input_size: tuple[int, int],
    margin: int,
    mode: str,
    interpolation: str,
    antialias: bool,
) -> None:
    """rows @ picture @ columns.T plus the padding, clamped to [0, 1]; a chequerboard of noise overshoots most."""
    resize = (input_size[0] + margin, input_size[1] + margin)
    spec = spec_of(
        input_size=input_size, resize=resize, resize_mode=mode, interpolation=interpolation, antialias=antialias
    )
    size = (height, max(1, round(height * aspect)))
    pixels = noise(*size).round()
    preprocessed = preprocess(pixels, spec)
    assert preprocessed.shape == (1, 3, *input_size)
    assert preprocessed.min() >= -1e-6 and preprocessed.max() <= 1 + 1e-6
    rows, columns, padding = input_matrices(size, spec)
    product = rows @ pixels @ columns.T + (0 if padding is None else padding)
    torch.testing.assert_close(preprocessed, product.clamp(0, 1), rtol=0, atol=1e-5)


@given(**GEOMETRY)
@settings(max_examples=50)
def test_a_picture_in_the_colour_of_the_padding_becomes_that_colour(
    height: int,
    aspect: float,
    input_size: tuple[int, int],
    margin: int,
    mode: str,
    interpolation: str,
    antialias: bool,
) -> None:
    """Weights add up to 1, and no pixel lies both in the picture and in the padding, nor in neither."""
    resize = (input_size[0] + margin, input_size[1] + margin)
    spec = spec_of(
        input_size=input_size, resize=resize, resize_mode=mode, interpolation=interpolation, antialias=antialias
    )
    colour = torch.tensor(PADDING).reshape(1, 3, 1, 1)
    preprocessed = preprocess(colour.expand(1, 3, height, max(1, round(height * aspect))), spec)
    torch.testing.assert_close(preprocessed, colour.expand(1, 3, *input_size), rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["crop", "squash", "pad"])
def test_gradients_reach_exactly_the_part_that_is_seen(mode: str) -> None:
    """With the mean over whole boxes every pixel inside `seen` has a weight, and no other one."""
    spec = spec_of(input_size=(16, 24), resize=(20, 30), resize_mode=mode, interpolation="box")
    pixels = noise(80, 60).requires_grad_()
    (gradient,) = torch.autograd.grad(preprocess(pixels, spec).sum(), pixels)
    (top, bottom), (left, right) = (side.seen for side in input_sides((80, 60), spec))
    expected = torch.zeros(80, 60, dtype=torch.bool)
    expected[math.floor(top) : math.ceil(bottom), math.floor(left) : math.ceil(right)] = True
    assert torch.equal((gradient != 0).any(dim=1)[0], expected)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"input_size": 32, "resize": 40}, 100 / 40),  # the shorter side
        ({"input_size": (32, 40), "resize": (40, 50), "resize_mode": "crop"}, 100 / 40),  # it becomes 40 x 120
        ({"input_size": 32, "resize": 40, "resize_mode": "pad"}, 300 / 40),
        ({"input_size": 32, "resize": 40, "resize_mode": "squash"}, math.sqrt(100 / 40 * 300 / 40)),
    ],
)
def test_the_reduction_is_the_mean_factor_between_picture_and_input(fields: dict[str, Any], expected: float) -> None:
    """Of 100 x 300 pixels; of a padded one, 13 x 40 pixels are left, so the shorter side is reduced a little more."""
    assert reduction((100, 300), spec_of(**fields)) == pytest.approx(expected, rel=0.02)
