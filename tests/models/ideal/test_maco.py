"""Phases are free, magnitudes are not."""

import pytest
import torch
from torch import Tensor

from models.ideal.maco import Maco

CPU = torch.device("cpu")


def made(size: int = 16, planes: int = 3, seed: int = 0, decay: float = 1.0) -> Maco:
    return Maco(size, planes, seed=seed, decay=decay, learning_rate=0.3, device=CPU)


def planes_of(picture: Tensor) -> Tensor:
    """The one plane that a grey picture's sigmoid was taken of."""
    return picture[0, 0].logit()


@pytest.mark.parametrize("decay", [0.5, 1.0, 1.5])
def test_the_magnitude_is_that_of_photos_whatever_the_phases(decay: float) -> None:
    """frequency ** -decay, up to one factor, away from the coefficients that a real picture must have real."""
    drawing = made(32, 1, decay=decay)
    for _ in range(3):
        spectrum = torch.fft.rfft2(planes_of(drawing.picture().detach()).double()).abs()
        inner = (slice(1, 16), slice(1, 16))
        vertical, horizontal = torch.arange(1, 16.0).reshape(-1, 1), torch.arange(1, 16.0)
        shape = (vertical**2 + horizontal**2).sqrt().double() ** -decay
        ratio = spectrum[inner] / shape
        assert ratio.std() < 5e-3 * ratio.mean()
        drawing.picture().pow(2).sum().backward()
        before = drawing.variable.detach().clone()
        drawing.step()
        assert not torch.equal(drawing.variable, before), "the phases move"


@pytest.mark.parametrize(("size", "planes"), [(16, 3), (17, 3), (28, 1)])
def test_size_and_range(size: int, planes: int) -> None:
    picture = made(size, planes).picture()
    assert picture.shape == (1, 3, size, size) and 0 < picture.min() < picture.max() < 1


def test_planes_are_standardised() -> None:
    values = planes_of(made(32, 1).picture().detach())
    assert values.mean().item() == pytest.approx(0, abs=1e-3) and values.std().item() == pytest.approx(1, abs=1e-2)


def test_the_seed_is_all_that_is_random() -> None:
    assert torch.equal(made(seed=3).picture(), made(seed=3).picture())
    assert not torch.equal(made(seed=3).picture(), made(seed=4).picture())
