"""Tests that resizing by two matrix products agrees with torchvision, in values and in gradients."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from models.preprocessing import preprocess
from models.resize import matrices, resize_and_crop
from models.spec import Spec

SHAPES: dict[str, Any] = {
    "height": st.integers(1, 400),
    "aspect": st.floats(1 / 8, 8),
    "crop": st.integers(16, 70),
    "margin": st.integers(0, 30),
    "mode": st.sampled_from(["bilinear", "bicubic"]),
}
"""Strategies for the shape of a picture and for the preprocessing of a model."""


def torchvisions(pixels: torch.Tensor, resize: int, crop: int, mode: str) -> torch.Tensor:
    resized = functional.resize(pixels, [resize], interpolation=InterpolationMode(mode), antialias=True)
    return functional.center_crop(resized, [crop, crop])


@given(**SHAPES)
@settings(max_examples=60)
def test_resizing_agrees_with_torchvision(height: int, aspect: float, crop: int, margin: int, mode: str) -> None:
    """For any shape, enlarged or reduced, values agree to 1e-4 and gradients to 1e-3 of the largest."""
    pixels = torch.rand(1, 3, height, max(1, round(height * aspect)), generator=torch.Generator().manual_seed(0))
    ours, theirs = pixels.clone().requires_grad_(), pixels.clone().requires_grad_()
    resized = resize_and_crop(ours, resize=crop + margin, crop=crop, interpolation=mode)
    expected = torchvisions(theirs, crop + margin, crop, mode)
    torch.testing.assert_close(resized, expected, rtol=0, atol=1e-4)
    weights = torch.randn(resized.shape, generator=torch.Generator().manual_seed(1))
    (gradient,), (expected_gradient,) = (
        torch.autograd.grad(resized, ours, weights),
        torch.autograd.grad(expected, theirs, weights),
    )
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-3, atol=1e-3 * float(expected_gradient.abs().max()))


@given(**SHAPES)
@settings(max_examples=40)
def test_resizing_is_a_product_of_two_matrices(height: int, aspect: float, crop: int, margin: int, mode: str) -> None:
    """Every row of a matrix is a weighted mean, so it sums to 1; rows x picture x columns is the resized picture."""
    width = max(1, round(height * aspect))
    rows, columns = matrices((height, width), resize=crop + margin, crop=crop, interpolation=mode)
    assert rows.shape == (crop, height) and columns.shape == (crop, width)
    for matrix in (rows, columns):
        torch.testing.assert_close(matrix.sum(dim=1), torch.ones(crop), rtol=0, atol=1e-5)
    pixels = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    resized = resize_and_crop(pixels, resize=crop + margin, crop=crop, interpolation=mode)
    torch.testing.assert_close(rows @ pixels @ columns.T, resized, rtol=0, atol=1e-5)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(300, 451), (90, 61), (36, 36)])
def test_the_matrices_do_all_of_the_preprocessing_but_clamping(size: tuple[int, int], interpolation: str) -> None:
    """On pixels of 0 and 1 only bicubic weights overshoot, so only they need the clamp to [0, 1]."""
    spec = Spec("mobilenet_v2", ("a", "b"), input_size=32, resize=36, interpolation=interpolation)
    pixels = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)).round()
    rows, columns = matrices(size, resize=36, crop=32, interpolation=interpolation)
    product = rows @ pixels @ columns.T
    torch.testing.assert_close(preprocess(pixels, spec), product.clamp(0, 1), rtol=0, atol=1e-5)
    if interpolation == "bilinear":
        torch.testing.assert_close(product.clamp(0, 1), product, rtol=0, atol=1e-6)


def test_a_large_photo_is_resized_as_by_torchvision() -> None:
    """A photo of two megapixels has the widest resize kernels."""
    pixels = torch.rand(1, 3, 1200, 1700, generator=torch.Generator().manual_seed(0))
    resized = resize_and_crop(pixels, resize=256, crop=224)
    torch.testing.assert_close(resized, torchvisions(pixels, 256, 224, "bilinear"), rtol=0, atol=2e-5)


def test_a_constant_picture_stays_constant() -> None:
    """The weights of every row sum to 1, at the edges as well, so one colour stays the same."""
    for side in (17, 64, 1000):
        resized = resize_and_crop(torch.full((2, 3, side, side + 5), 0.3), resize=64, crop=64, interpolation="bicubic")
        torch.testing.assert_close(resized, torch.full((2, 3, 64, 64), 0.3))


def test_pictures_of_a_batch_do_not_mix() -> None:
    pixels = torch.rand(3, 3, 50, 40, generator=torch.Generator().manual_seed(0))
    together = resize_and_crop(pixels, resize=36, crop=32)
    for row in range(3):
        torch.testing.assert_close(together[row : row + 1], resize_and_crop(pixels[row : row + 1], resize=36, crop=32))


def test_an_unknown_interpolation_is_an_error() -> None:
    with pytest.raises(KeyError):
        resize_and_crop(torch.rand(1, 3, 50, 40), resize=36, crop=32, interpolation="cubic")


def test_a_picture_of_the_right_size_is_returned_itself() -> None:
    """Attacks on such pictures then need no gradient of a resize; a picture of another height is still cropped."""
    square = torch.rand(1, 3, 8, 8)
    assert resize_and_crop(square, resize=8, crop=8) is square
    torch.testing.assert_close(resize_and_crop(torch.cat([square, square], dim=2), resize=8, crop=8)[..., :4, :],
                               square[..., 4:, :])  # fmt: skip
