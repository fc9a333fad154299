"""Tests MACO, which optimises the phases of a spectrum and keeps its magnitudes fixed."""

import math

import pytest
import torch
from torch import Tensor

from models.ideal import maco
from models.ideal.maco import Maco
from tests.models.ideal.draw import descend

CPU = torch.device("cpu")


def new_drawing(size: int = 16, planes: int = 3, seed: int = 0, decay: float = 1.0) -> Maco:
    return Maco(size, planes, seed=seed, decay=decay, learning_rate=0.3, device=CPU)


def plane_of(picture: Tensor) -> Tensor:
    """Return the plane of which a grey picture is the sigmoid."""
    return picture[0, 0].logit()


@pytest.mark.parametrize("decay", [0.5, 1.0, 1.5])
def test_the_magnitude_is_that_of_photos_for_any_phases(decay: float) -> None:
    """It is frequency ** -decay up to one factor, except at the coefficients that are real for a real picture."""
    drawing = new_drawing(32, 1, decay=decay)
    for _ in range(3):
        spectrum = torch.fft.rfft2(plane_of(drawing.picture().detach()).double()).abs()
        inner = (slice(1, 16), slice(1, 16))
        vertical, horizontal = torch.arange(1, 16.0).reshape(-1, 1), torch.arange(1, 16.0)
        shape = (vertical**2 + horizontal**2).sqrt().double() ** -decay
        ratio = spectrum[inner] / shape
        assert ratio.std() < 5e-3 * ratio.mean()
        before = drawing.variable.detach().clone()
        descend(drawing, drawing.picture().pow(2).sum())
        assert not torch.equal(drawing.variable, before), "the phases move"


@pytest.mark.parametrize(("size", "planes"), [(16, 3), (17, 3), (28, 1)])
def test_a_picture_has_its_size_and_lies_between_0_and_1(size: int, planes: int) -> None:
    picture = new_drawing(size, planes).picture()
    assert picture.shape == (1, 3, size, size) and 0 < picture.min() < picture.max() < 1


def test_planes_are_standardised() -> None:
    values = plane_of(new_drawing(32, 1).picture().detach())
    assert values.mean().item() == pytest.approx(0, abs=1e-3) and values.std().item() == pytest.approx(1, abs=1e-2)


def test_the_picture_depends_only_on_the_seed() -> None:
    assert torch.equal(new_drawing(seed=3).picture(), new_drawing(seed=3).picture())
    assert not torch.equal(new_drawing(seed=3).picture(), new_drawing(seed=4).picture())


@pytest.fixture
def uncoloured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `picture` return the planes themselves, without mapping them to colours."""
    monkeypatch.setattr(maco, "colours", lambda planes: planes.unsqueeze(0))


@pytest.mark.parametrize("size", [16, 17, 64])
@pytest.mark.usefixtures("uncoloured")
def test_three_planes_have_their_fixed_magnitudes(size: int) -> None:
    """For any phases, the magnitudes differ from the fixed ones only by the one factor of standardising.

    In the columns of horizontal frequency 0 and the highest one, every coefficient and its mirror image are averaged,
    so there the magnitude is an upper bound. Frequency 0 is removed by standardising.
    """
    drawing = new_drawing(size)
    mirrored = [0, size // 2] if size % 2 == 0 else [0]
    free = [column for column in range(size // 2 + 1) if column not in mirrored]
    for seed in range(5):
        random = torch.Generator().manual_seed(seed)
        drawing.variable.data = 20 * torch.randn(drawing.variable.shape, generator=random)
        spectrum = torch.fft.rfft2(drawing.picture()[0].detach(), norm="ortho").abs() / drawing.magnitude
        factor = spectrum[:, :, free].mean()
        torch.testing.assert_close(spectrum[:, :, free], factor.expand(3, size, len(free)), rtol=1e-3, atol=0)
        assert spectrum[:, 1:, mirrored].max() <= 1.001 * factor


@pytest.mark.usefixtures("uncoloured")
def test_the_phases_are_the_variable_in_radians() -> None:
    """The angle of every coefficient without a mirror image in its own column equals the variable."""
    drawing = new_drawing(17)
    angles = torch.fft.rfft2(drawing.picture()[0], norm="ortho").angle()
    apart = (angles - drawing.variable).detach()[:, :, 1:]
    torch.testing.assert_close(apart.cos(), torch.ones_like(apart), rtol=0, atol=1e-4)


def test_phases_start_uniformly_distributed() -> None:
    """They cover the full circle, and their mean vector is close to zero."""
    start = new_drawing(64).variable.detach()
    assert 0 <= start.min() < 0.01 and 2 * math.pi - 0.01 < start.max() <= 2 * math.pi
    assert torch.polar(torch.ones_like(start), start).mean().abs() < 0.05


def test_a_step_is_one_of_nadam_and_changes_only_phases() -> None:
    drawing = new_drawing(8)
    magnitude = drawing.magnitude.clone()
    gradient = torch.randn(drawing.variable.shape, generator=torch.Generator().manual_seed(1))
    expected = drawing.variable.detach().clone().requires_grad_()
    expected.grad = gradient.clone()
    torch.optim.NAdam([expected], lr=0.3).step()
    drawing.step(gradient, 1.0)
    torch.testing.assert_close(drawing.variable, expected)
    assert torch.equal(drawing.magnitude, magnitude) and not magnitude.requires_grad


def test_one_plane_gives_a_grey_picture() -> None:
    red, green, blue = new_drawing(planes=1).picture()[0]
    assert torch.equal(red, green) and torch.equal(green, blue)
