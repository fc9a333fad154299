"""A picture as a spectrum."""

import pytest
import torch

from models.ideal.fourier import Fourier


def made(size: int, *, seed: int = 0, decay: float = 1.25, planes: int = 3) -> Fourier:
    return Fourier(size, planes, seed=seed, decay=decay, learning_rate=0.05, device=torch.device("cpu"))


def test_amplitude_by_hand() -> None:
    """max(f, 1/8) ** -1.25 on 8 pixels: 8 ** 1.25 at rest, 2 ** 1.25 at the highest frequency 1/2."""
    amplitude = made(8).amplitude
    assert amplitude.shape == (8, 5)
    assert amplitude[0, 0].item() == pytest.approx(8**1.25)
    assert amplitude[0, 1].item() == pytest.approx(8**1.25)
    assert amplitude[0, 4].item() == pytest.approx(2**1.25)
    assert amplitude[4, 0].item() == pytest.approx(2**1.25)
    assert amplitude[2, 2].item() == pytest.approx((8**0.5 / 8) ** -1.25)
    # Upward and downward frequencies alike.
    torch.testing.assert_close(amplitude[1], amplitude[7])


def test_decay_is_a_choice() -> None:
    assert made(8, decay=1.0).amplitude[0, 4].item() == pytest.approx(2)


@pytest.mark.parametrize("size", [8, 17, 32, 33])
def test_size_and_range(size: int) -> None:
    """Odd sizes too; a picture lies within [0, 1]."""
    picture = made(size).picture()
    assert picture.shape == (1, 3, size, size)
    assert 0 <= picture.min().item() <= picture.max().item() <= 1


def test_no_spectrum_is_grey() -> None:
    drawing = made(16)
    drawing.variable.data.zero_()
    assert drawing.picture().unique().tolist() == [0.5]


def test_one_frequency_is_one_wave() -> None:
    """Only the wave of two periods across: columns repeat every 8 of 16 pixels, rows are all alike."""
    drawing = made(16)
    drawing.variable.data.zero_()
    drawing.variable.data[0, 0, 2, 0] = 1.0
    picture = drawing.picture()[0]
    torch.testing.assert_close(picture, picture.roll(8, dims=2))
    torch.testing.assert_close(picture, picture.roll(5, dims=1))
    assert picture.std() > 0.01


def test_all_of_the_spectrum_can_be_learned() -> None:
    """A gradient reaches every coefficient that a real picture has."""
    drawing = made(8)
    weight = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    (drawing.picture() * weight).sum().backward()
    grad = drawing.variable.grad
    assert grad is not None
    # A real picture has no imaginary part in its own mirror image: at rest and at the highest frequency.
    real = torch.zeros(8, 5, dtype=torch.bool)
    real[[0, 0, 4, 4], [0, 4, 0, 4]] = True
    assert (grad[..., 0] != 0).all()
    assert (grad[..., 1][:, ~real] != 0).all()


def test_the_seed_is_all_that_is_random() -> None:
    """Whatever torch's own generator has been through."""
    torch.manual_seed(5)
    one = made(16, seed=3).picture()
    torch.rand(100)
    again, other = made(16, seed=3).picture(), made(16, seed=4).picture()
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_one_plane_is_grey() -> None:
    drawing = made(16, planes=1)
    red, green, blue = drawing.picture()[0]
    assert torch.equal(red, green) and torch.equal(green, blue) and red.std() > 0


def test_the_first_step_is_that_of_adam() -> None:
    """The learning rate against the sign of the gradient, of which nothing is left; it began as noise of 0.01."""
    drawing = made(32)
    before = drawing.variable.detach().clone()
    assert before.std().item() == pytest.approx(0.01, rel=0.05)
    slope = torch.randn(before.shape, generator=torch.Generator().manual_seed(1))
    drawing.variable.grad = slope.clone()
    drawing.step()
    torch.testing.assert_close(drawing.variable.detach(), before - 0.05 * slope.sign(), rtol=0, atol=1e-4)
    assert drawing.variable.grad is None
