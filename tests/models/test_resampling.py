"""Compares resizing and blurring with torchvision's functions."""

import math

import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode, functional

from models.resampling import gaussian_blur, resize


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(20, 31), (100, 64), (61, 40), (1, 1)])
def test_resizes_as_torchvision_does(kernel: str, size: tuple[int, int]) -> None:
    pixels = noise(2, 3, 61, 40)
    expected = functional.resize(pixels, list(size), InterpolationMode(kernel), antialias=True)
    torch.testing.assert_close(resize(pixels, size, kernel), expected)
    torch.testing.assert_close(resize(pixels[0], size, kernel), expected[0])


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.7])
def test_blurs_as_torchvision_does(sigma: float) -> None:
    pixels = noise(2, 3, 40, 31)
    width = 2 * math.ceil(3 * sigma) + 1
    expected = functional.gaussian_blur(pixels, [width, width], [sigma, sigma])
    torch.testing.assert_close(gaussian_blur(pixels, sigma), expected)
    torch.testing.assert_close(gaussian_blur(pixels[0], sigma), expected[0])


def test_a_blur_of_one_bright_pixel_is_the_bell_curve() -> None:
    pixels = torch.zeros(1, 15, 15)
    pixels[0, 7, 7] = 1
    blurred = gaussian_blur(pixels, 2.0)[0]
    assert blurred[7, 9] / blurred[7, 7] == pytest.approx(math.exp(-0.5), rel=1e-5)
    assert blurred[5, 5] / blurred[7, 7] == pytest.approx(math.exp(-1.0), rel=1e-5)
    assert blurred.sum().item() == pytest.approx(1, rel=1e-5)
