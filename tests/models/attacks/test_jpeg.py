"""JPEG as an attack sees it: the real file's values, and a gradient of something close to it."""

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from models.attacks.geometry import to_lattice
from models.attacks.jpeg import Jpeg, approximate, soft_round
from models.preprocessing import to_float
from tests.conftest import Draw

QUALITIES = [1, 30, 75, 95, 100]


def through_pillow(levels: Tensor, quality: int) -> Tensor:
    """Levels [3, h, w] written and read by Pillow alone."""
    buffer = io.BytesIO()
    Image.fromarray(levels.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=quality)
    array = torch.frombuffer(bytearray(Image.open(buffer).tobytes()), dtype=torch.uint8)
    return array.reshape(*levels.shape[1:], 3).permute(2, 0, 1)


@given(height=st.integers(1, 40), width=st.integers(1, 40), quality=st.integers(1, 100), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_the_values_are_the_real_encoders(height: int, width: int, quality: int, seed: int) -> None:
    """Of the rounded picture, bit for bit, whether or not a gradient is wanted."""
    pictures = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    expected = to_float(torch.stack([through_pillow((row * 255).round().byte(), quality) for row in pictures]))
    assert torch.equal(Jpeg(quality)(pictures), expected)
    assert torch.equal(Jpeg(quality)(pictures.requires_grad_()).detach(), expected)


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_stand_in_is_close_to_the_real_encoder(draw: Draw, quality: int) -> None:
    """On smooth pictures, whose sides are no multiples of 16, by 1.5 levels of a value on average."""
    pictures = to_float(torch.stack([draw(75, 101, seed) for seed in range(3)]))
    away = (approximate(pictures, quality) - Jpeg(quality)(pictures)).abs()
    # At quality 1 the first step is 128 levels wide, and the softness of the rounding an eighth of it.
    assert away.mean() * 255 < (6 if quality == 1 else 1.5)


@pytest.mark.parametrize("side", [1, 7, 16, 33])
def test_grey_at_quality_100_stays_grey(side: int) -> None:
    """All coefficients but the first are 0, and the first, 8 times the level less 128, is whole."""
    grey = torch.full((1, 3, side, side), 77 / 255)
    torch.testing.assert_close(approximate(grey, 100), grey, rtol=0, atol=1e-5)
    torch.testing.assert_close(Jpeg(100)(grey), grey, rtol=0, atol=1e-6)


def test_soft_rounding_is_the_papers() -> None:
    """round(x) + (x - round(x))^3: 2.3 gives 2.027 with gradient 0.27, and a whole number itself with none."""
    values = torch.tensor([2.3, -1.6, 5.0], requires_grad=True)
    soft = soft_round(values)
    torch.testing.assert_close(soft, torch.tensor([2.027, -1.936, 5.0]))
    (gradient,) = torch.autograd.grad(soft.sum(), values)
    torch.testing.assert_close(gradient, torch.tensor([0.27, 0.48, 0.0]), rtol=1e-4, atol=1e-6)


def test_the_gradient_is_the_stand_ins(draw: Draw) -> None:
    """That of `approximate`, and one that tells where pixels should go: not zero and not infinite."""
    pictures = to_float(draw(40, 56)).unsqueeze(0).requires_grad_()
    weight = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    (straight,) = torch.autograd.grad((Jpeg(75)(pictures) * weight).sum(), pictures)
    (expected,) = torch.autograd.grad((approximate(pictures, 75) * weight).sum(), pictures)
    assert torch.equal(straight, expected)
    assert straight.isfinite().all()
    assert (straight != 0).float().mean() > 0.9


def test_a_row_alone_is_the_row_of_a_batch(draw: Draw) -> None:
    """Values bit for bit, gradients but for sums in another order."""
    pictures = to_lattice(to_float(torch.stack([draw(33, 47, seed) for seed in range(3)]))).requires_grad_()
    together = Jpeg(50)(pictures)
    (gradients,) = torch.autograd.grad(together.square().sum(), pictures)
    for row in range(3):
        alone = pictures[row : row + 1].detach().requires_grad_()
        decoded = Jpeg(50)(alone)
        assert torch.equal(decoded[0], together[row])
        (gradient,) = torch.autograd.grad(decoded.square().sum(), alone)
        torch.testing.assert_close(gradient[0], gradients[row], rtol=1e-3, atol=1e-4)
