"""Tests pictures that are parametrised by their Fourier spectrum."""

import pytest
import torch

from models.ideal.fourier import Fourier


def new_drawing(size: int, *, seed: int = 0, decay: float = 1.25, planes: int = 3) -> Fourier:
    return Fourier(size, planes, seed=seed, decay=decay, learning_rate=0.05, device=torch.device("cpu"))


def test_the_amplitude_falls_with_the_frequency() -> None:
    """On 8 pixels it is max(f, 1/8) ** -1.25, so 8 ** 1.25 at frequency 0 and 2 ** 1.25 at the highest, 1/2."""
    amplitude = new_drawing(8).amplitude
    assert amplitude.shape == (8, 5)
    assert amplitude[0, 0].item() == pytest.approx(8**1.25)
    assert amplitude[0, 1].item() == pytest.approx(8**1.25)
    assert amplitude[0, 4].item() == pytest.approx(2**1.25)
    assert amplitude[4, 0].item() == pytest.approx(2**1.25)
    assert amplitude[2, 2].item() == pytest.approx((8**0.5 / 8) ** -1.25)
    # Positive and negative vertical frequencies have the same amplitude.
    torch.testing.assert_close(amplitude[1], amplitude[7])


def test_the_decay_is_the_exponent_of_the_amplitude() -> None:
    assert new_drawing(8, decay=1.0).amplitude[0, 4].item() == pytest.approx(2)


@pytest.mark.parametrize("size", [8, 17, 32, 33])
def test_a_picture_has_its_size_and_lies_between_0_and_1(size: int) -> None:
    """Odd sizes work as well as even ones."""
    picture = new_drawing(size).picture()
    assert picture.shape == (1, 3, size, size)
    assert 0 <= picture.min().item() <= picture.max().item() <= 1


def test_a_spectrum_of_zeros_is_middle_grey() -> None:
    drawing = new_drawing(16)
    drawing.variable.data.zero_()
    assert drawing.picture().unique().tolist() == [0.5]


def test_one_coefficient_gives_one_wave() -> None:
    """A wave of two periods across: columns repeat every 8 of 16 pixels, and all rows are equal."""
    drawing = new_drawing(16)
    drawing.variable.data.zero_()
    drawing.variable.data[0, 0, 2, 0] = 1.0
    picture = drawing.picture()[0]
    torch.testing.assert_close(picture, picture.roll(8, dims=2))
    torch.testing.assert_close(picture, picture.roll(5, dims=1))
    assert picture.std() > 0.01


def test_every_coefficient_gets_a_gradient() -> None:
    """Only the imaginary parts that a real picture cannot have get none."""
    drawing = new_drawing(8)
    weight = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    (drawing.picture() * weight).sum().backward()
    grad = drawing.variable.grad
    assert grad is not None
    # Coefficients that are their own mirror image (frequency 0 and the highest one) are real for a real picture.
    real = torch.zeros(8, 5, dtype=torch.bool)
    real[[0, 0, 4, 4], [0, 4, 0, 4]] = True
    assert (grad[..., 0] != 0).all()
    assert (grad[..., 1][:, ~real] != 0).all()


def test_the_picture_depends_only_on_the_seed() -> None:
    """The global generator of torch has no influence."""
    torch.manual_seed(5)
    one = new_drawing(16, seed=3).picture()
    torch.rand(100)
    again, other = new_drawing(16, seed=3).picture(), new_drawing(16, seed=4).picture()
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_one_plane_gives_a_grey_picture() -> None:
    drawing = new_drawing(16, planes=1)
    red, green, blue = drawing.picture()[0]
    assert torch.equal(red, green) and torch.equal(green, blue) and red.std() > 0


def test_the_first_step_is_one_of_adam() -> None:
    """Adam's first step is -learning_rate x the sign of the gradient; the start is noise of 0.01."""
    drawing = new_drawing(32)
    before = drawing.variable.detach().clone()
    assert before.std().item() == pytest.approx(0.01, rel=0.05)
    gradient = torch.randn(before.shape, generator=torch.Generator().manual_seed(1))
    drawing.step(gradient, 1.0)
    torch.testing.assert_close(drawing.variable.detach(), before - 0.05 * gradient.sign(), rtol=0, atol=1e-4)
