"""Tests every interpolation and resize mode of `models.resize` against Pillow and PyTorch."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from models.resize import KERNELS, Side, matrices, resize_and_crop, sides

SIDES = {"height": st.integers(1, 150), "width": st.integers(1, 150)}
TARGETS = {"to_height": st.integers(1, 60), "to_width": st.integers(1, 60)}
"""Strategies for the size of a picture and for that of the resized one."""


def assume_no_ties(interpolation: str, *lengths: tuple[int, int]) -> None:
    """Leave out where the middle of a resized pixel lies between two pixels, for `nearest`: both are as near.

    Pillow adds up the length of a resized pixel, and its rounding errors decide. The middle of pixel k of n, from m
    pixels, is at (2 k + 1) m / 2 n; where m / n is a power of two, nothing is rounded.
    """
    if interpolation == "nearest":
        tied = [(length, to) for length, to in lengths if any((2 * k + 1) * length % (2 * to) == 0 for k in range(to))]
        assume(all(math.log2(length / to).is_integer() for length, to in tied))


def noise(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def squashed(pixels: Tensor, size: tuple[int, int], interpolation: str, **options: Any) -> Tensor:
    return resize_and_crop(pixels, resize=size, crop=size, mode="squash", interpolation=interpolation, **options)


def pillows(pixels: Tensor, size: tuple[int, int], interpolation: str) -> Tensor:
    """Pillow's resize of each plane of floating-point numbers, its mode F."""
    filter = Image.Resampling[interpolation.upper()]
    planes = [Image.fromarray(plane.numpy()).resize((size[1], size[0]), filter) for plane in pixels[0]]
    return torch.from_numpy(np.stack([np.asarray(plane) for plane in planes])).unsqueeze(0)


@pytest.mark.parametrize("interpolation", KERNELS)
@given(**SIDES, **TARGETS)
@settings(max_examples=25)
def test_antialiased_resizing_is_pillows(
    interpolation: str, height: int, width: int, to_height: int, to_width: int
) -> None:
    """Any size to any other, enlarged or reduced, each side by its own factor; `nearest` reads single pixels."""
    assume_no_ties(interpolation, (height, to_height), (width, to_width))
    pixels = noise(height, width)
    expected = pillows(pixels, (to_height, to_width), interpolation)
    torch.testing.assert_close(squashed(pixels, (to_height, to_width), interpolation), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("interpolation", KERNELS)
@pytest.mark.parametrize("size", [(1, 403), (403, 1), (2, 3), (1, 1)])
def test_strips_and_single_pixels_are_resized_as_by_pillow(interpolation: str, size: tuple[int, int]) -> None:
    pixels = noise(*size)
    expected = pillows(pixels, (16, 24), interpolation)
    torch.testing.assert_close(squashed(pixels, (16, 24), interpolation), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@given(**SIDES, **TARGETS)
@settings(max_examples=30)
def test_without_antialiasing_values_and_gradients_are_pytorchs(
    interpolation: str, height: int, width: int, to_height: int, to_width: int
) -> None:
    """`torch.nn.functional.interpolate` takes a = -0.75 for the bicubic kernel, and repeats the pixels at the edge."""
    ours, theirs = noise(height, width).requires_grad_(), noise(height, width).requires_grad_()
    resized = squashed(ours, (to_height, to_width), interpolation, antialias=False)
    expected = interpolate(theirs, (to_height, to_width), mode=interpolation, align_corners=False, antialias=False)
    torch.testing.assert_close(resized, expected, rtol=0, atol=2e-5)
    weights = torch.randn(resized.shape, generator=torch.Generator().manual_seed(1))
    (gradient,), (expected_gradient,) = (
        torch.autograd.grad(resized, ours, weights),
        torch.autograd.grad(expected, theirs, weights),
    )
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-4)


@given(**SIDES, **TARGETS)
@settings(max_examples=30)
def test_nearest_is_pillows_with_and_without_antialiasing(
    height: int, width: int, to_height: int, to_width: int
) -> None:
    """A nearest pixel is one pixel, so there is nothing to average: every value is one of the picture."""
    assume_no_ties("nearest", (height, to_height), (width, to_width))
    pixels = noise(height, width)
    expected = pillows(pixels, (to_height, to_width), "nearest")
    for antialias in (True, False):
        assert torch.equal(squashed(pixels, (to_height, to_width), "nearest", antialias=antialias), expected)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", KERNELS)
@pytest.mark.parametrize("mode", ["squash", "pad", "crop"])
def test_gradients_are_those_of_finite_differences(mode: str, interpolation: str, antialias: bool) -> None:
    """In double precision; where it is squashed, the picture is enlarged in one direction and reduced in the other."""
    pixels = noise(9, 31).double().requires_grad_()

    def resized(pixels: Tensor) -> Tensor:
        return resize_and_crop(
            pixels, resize=(16, 20), crop=(14, 20), mode=mode, interpolation=interpolation, antialias=antialias
        )

    assert torch.autograd.gradcheck(resized, pixels, fast_mode=True)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", KERNELS)
@pytest.mark.parametrize("mode", ["squash", "pad", "crop"])
@pytest.mark.parametrize("size", [(60, 45), (5, 90), (1, 400), (14, 20)])
def test_rows_of_the_matrices_are_means_or_padding(
    size: tuple[int, int], mode: str, interpolation: str, antialias: bool
) -> None:
    """Weights add up to 1 where the picture is, and are 0 in the padding; the product is the resized picture."""
    options: dict[str, Any] = {"resize": (18, 24), "crop": (14, 20), "mode": mode}
    kernel = {"interpolation": interpolation, "antialias": antialias}
    both = matrices(size, **options, **kernel)
    for matrix, side in zip(both, sides(size, **options), strict=True):
        begin, end = side.inside
        expected = torch.zeros(side.crop)
        expected[begin:end] = 1
        torch.testing.assert_close(matrix.sum(dim=1), expected, rtol=0, atol=1e-5)
        assert not matrix[:begin].any() and not matrix[end:].any()
    pixels = noise(*size)
    resized = resize_and_crop(pixels, **options, **kernel)
    torch.testing.assert_close(both[0] @ pixels @ both[1].T, resized, rtol=0, atol=1e-5)


def test_sides_of_a_squashed_picture() -> None:
    """100 x 300 pixels become 40 x 60, of which the middle 32 x 50 are kept: 4 of 2.5 and 5 of 5 pixels are cut off."""
    height, width = sides((100, 300), resize=(40, 60), crop=(32, 50), mode="squash")
    assert (height, width) == (Side(100, 40, 32, 4), Side(300, 60, 50, 5))
    assert (height.scale, width.scale) == (2.5, 5.0)
    assert (height.inside, width.inside) == ((0, 32), (0, 50))
    assert (height.seen, width.seen) == ((10.0, 90.0), (25.0, 275.0))


def test_sides_of_a_padded_picture() -> None:
    """100 x 300 pixels fit into 48 x 48 as 16 x 48: 16 rows of padding above and below, and nothing is cut off."""
    height, width = sides((100, 300), resize=48, crop=48, mode="pad")
    assert (height, width) == (Side(100, 16, 48, -16), Side(300, 48, 48, 0))
    assert (height.inside, width.inside) == ((16, 32), (0, 48))
    assert (height.seen, width.seen) == ((0.0, 100.0), (0.0, 300.0))


def test_an_odd_padding_is_larger_at_the_end() -> None:
    """As in timm: of 13 rows of padding 6 are above the picture and 7 below it."""
    height, _ = sides((35, 48), resize=48, crop=48, mode="pad")
    assert (height.first, height.inside) == (-6, (6, 41))


def test_a_picture_that_is_padded_and_then_cropped() -> None:
    """Resized to fit into 60 pixels, of which 48 are kept: one side is cropped, the other padded."""
    height, width = sides((100, 300), resize=60, crop=48, mode="pad")
    assert (height, width) == (Side(100, 20, 48, -14), Side(300, 60, 48, 6))
    assert (height.inside, width.inside) == ((14, 34), (0, 48))
    assert (height.seen, width.seen) == ((0.0, 100.0), (30.0, 270.0))


def test_sides_of_a_picture_that_covers_a_rectangle() -> None:
    """100 x 300 pixels cover 40 x 60 as 40 x 120, of which the middle 40 x 60 are kept."""
    height, width = sides((100, 300), resize=(40, 60), crop=(40, 60))
    assert (height, width) == (Side(100, 40, 40, 0), Side(300, 120, 60, 30))
    assert (height.seen, width.seen) == ((0.0, 100.0), (75.0, 225.0))


def test_with_equal_numbers_a_pair_is_the_same_as_one_number() -> None:
    """The longer side is then rounded down, as torchvision does: 36 * 77 / 50 = 55.44 and 36 * 78 / 50 = 56.16."""
    for length, resized in ((77, 55), (78, 56)):
        expected = (Side(50, 36, 32, 2), Side(length, resized, 32, round((resized - 32) / 2)))
        assert sides((50, length), resize=36, crop=32) == sides((50, length), resize=(36, 36), crop=32) == expected


@given(
    height=st.integers(1, 500),
    width=st.integers(1, 500),
    crop=st.tuples(st.integers(16, 70), st.integers(16, 70)),
    margin=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    mode=st.sampled_from(["crop", "squash", "pad"]),
)
def test_what_is_seen_lies_in_the_picture(
    height: int, width: int, crop: tuple[int, int], margin: tuple[int, int], mode: str
) -> None:
    """And `inside` in the input; without padding the input is covered, and a padded picture is seen at least in part.

    The part seen has as many resized pixels as the part of the input that shows it.
    """
    resize = (crop[0] + margin[0], crop[1] + margin[1])
    for side in sides((height, width), resize=resize, crop=crop, mode=mode):
        begin, end = side.inside
        first, last = side.seen
        assert 0 <= begin < end <= side.crop and 0 <= first < last <= side.length
        assert last - first == pytest.approx((end - begin) * side.scale)
        if mode != "pad":
            assert (begin, end) == (0, side.crop) and side.resized >= side.crop
        elif side.resized <= side.crop:
            assert (first, last) == pytest.approx((0, side.length))


def test_a_rectangular_picture_of_the_right_size_is_returned_itself() -> None:
    """In all modes; turned by 90 degrees it is not."""
    pixels = noise(20, 30)
    for mode in ("crop", "squash", "pad"):
        assert resize_and_crop(pixels, resize=(20, 30), crop=(20, 30), mode=mode) is pixels
        assert resize_and_crop(pixels.mT, resize=(20, 30), crop=(20, 30), mode=mode).shape == (1, 3, 20, 30)
