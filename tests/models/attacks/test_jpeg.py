"""Tests JPEG inside attacks: values of the real encoder, with the gradient of a differentiable approximation."""

import io

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from models.attacks.geometry import to_lattice
from models.attacks.jpeg import Jpeg, approximate, soft_round
from models.preprocessing import to_float
from tests.conftest import Draw

QUALITIES = [1, 30, 75, 95, 100]


def through_pillow(levels: Tensor, quality: int) -> Tensor:
    """Write levels [3, h, w] as JPEG with Pillow and read them again."""
    buffer = io.BytesIO()
    Image.fromarray(levels.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=quality)
    array = torch.frombuffer(bytearray(Image.open(buffer).tobytes()), dtype=torch.uint8)
    return array.reshape(*levels.shape[1:], 3).permute(2, 0, 1)


@given(height=st.integers(1, 40), width=st.integers(1, 40), quality=st.integers(1, 100), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_values_are_those_of_the_real_encoder(height: int, width: int, quality: int, seed: int) -> None:
    """They equal exactly those of the rounded picture, with and without gradients."""
    assume(max(height, width) <= 32 * min(height, width))  # the decoder refuses narrower pictures
    pictures = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    expected = to_float(torch.stack([through_pillow((row * 255).round().byte(), quality) for row in pictures]))
    assert torch.equal(Jpeg(quality)(pictures), expected)
    assert torch.equal(Jpeg(quality)(pictures.requires_grad_()).detach(), expected)


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_approximation_is_close_to_the_real_encoder(draw: Draw, quality: int) -> None:
    """On smooth pictures, whose sides are no multiples of 16, the mean difference is below 1.5 levels."""
    pictures = to_float(torch.stack([draw(75, 101, seed) for seed in range(3)]))
    difference = (approximate(pictures, quality) - Jpeg(quality)(pictures)).abs()
    # At quality 1 the quantisation step of the first coefficient is 128 levels, so soft rounding differs more.
    assert difference.mean() * 255 < (6 if quality == 1 else 1.5)


@pytest.mark.parametrize("side", [1, 7, 16, 33])
def test_grey_at_quality_100_stays_grey(side: int) -> None:
    """All coefficients but the first are 0, and the first, 8 x (level - 128), is a whole number."""
    grey = torch.full((1, 3, side, side), 77 / 255)
    torch.testing.assert_close(approximate(grey, 100), grey, rtol=0, atol=1e-5)
    torch.testing.assert_close(Jpeg(100)(grey), grey, rtol=0, atol=1e-6)


def test_soft_rounding_follows_the_paper() -> None:
    """round(x) + (x - round(x))^3 of 2.3 is 2.027 with gradient 0.27; a whole number is unchanged with gradient 0."""
    values = torch.tensor([2.3, -1.6, 5.0], requires_grad=True)
    soft = soft_round(values)
    torch.testing.assert_close(soft, torch.tensor([2.027, -1.936, 5.0]))
    (gradient,) = torch.autograd.grad(soft.sum(), values)
    torch.testing.assert_close(gradient, torch.tensor([0.27, 0.48, 0.0]), rtol=1e-4, atol=1e-6)


def test_the_gradient_is_that_of_the_approximation(draw: Draw) -> None:
    """It is finite and nearly nowhere zero, so an attack can follow it."""
    pictures = to_float(draw(40, 56)).unsqueeze(0).requires_grad_()
    weight = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad((Jpeg(75)(pictures) * weight).sum(), pictures)
    (expected,) = torch.autograd.grad((approximate(pictures, 75) * weight).sum(), pictures)
    assert torch.equal(gradient, expected)
    assert gradient.isfinite().all()
    assert (gradient != 0).float().mean() > 0.9


def test_a_row_alone_gives_the_same_as_in_a_batch(draw: Draw) -> None:
    """Values are exactly equal, and gradients up to the order of summation."""
    pictures = to_lattice(to_float(torch.stack([draw(33, 47, seed) for seed in range(3)]))).requires_grad_()
    together = Jpeg(50)(pictures)
    (gradients,) = torch.autograd.grad(together.square().sum(), pictures)
    for row in range(3):
        alone = pictures[row : row + 1].detach().requires_grad_()
        decoded = Jpeg(50)(alone)
        assert torch.equal(decoded[0], together[row])
        (gradient,) = torch.autograd.grad(decoded.square().sum(), alone)
        torch.testing.assert_close(gradient[0], gradients[row], rtol=1e-3, atol=1e-4)
