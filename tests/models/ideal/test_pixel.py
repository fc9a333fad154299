"""Tests pictures that are parametrised by their pixels."""

import pytest
import torch

from models.ideal.pixel import Pixel
from tests.models.ideal.draw import descend

CPU = torch.device("cpu")


def new_drawing(*, clamp: bool, size: int = 64, planes: int = 3, rate: float = 0.5, seed: int = 0) -> Pixel:
    return Pixel(size, planes, seed=seed, clamp=clamp, learning_rate=rate, device=CPU)


def test_a_clamped_picture_starts_as_faint_noise_on_grey() -> None:
    picture = new_drawing(clamp=True).picture()
    assert picture.mean().item() == pytest.approx(0.5, abs=0.005)
    assert picture.std().item() == pytest.approx(0.05, abs=0.002)


def test_an_unclamped_picture_starts_as_normal_noise_and_takes_plain_gradient_steps() -> None:
    """The start is N(0, 1); a step subtracts the learning rate 0.5 times the gradient, which is 3 everywhere."""
    drawing = new_drawing(clamp=False)
    start = drawing.picture().detach().clone()
    assert (start.mean().item(), start.std().item()) == pytest.approx((0, 1), abs=0.02)
    descend(drawing, 3 * drawing.picture().sum())
    torch.testing.assert_close(drawing.picture(), start - 1.5)


def test_a_clamped_picture_stays_between_0_and_1() -> None:
    drawing = new_drawing(clamp=True)
    for _ in range(5):
        descend(drawing, drawing.picture()[:, :2].sum() - drawing.picture()[:, 2].sum())
    assert drawing.picture()[:, :2].max() == 0 and drawing.picture()[:, 2].min() == 1


def test_one_plane_gives_a_grey_picture() -> None:
    red, green, blue = new_drawing(clamp=True, planes=1, size=28).picture()[0]
    assert torch.equal(red, green) and torch.equal(green, blue)


def test_the_first_step_of_a_clamped_picture_is_one_of_adam() -> None:
    """Adam's first step is -learning_rate x the sign of the gradient; at 0.05 no pixel reaches the clamp."""
    drawing = new_drawing(clamp=True, size=8, rate=0.05)
    before = drawing.variable.detach().clone()
    gradient = torch.randn(before.shape, generator=torch.Generator().manual_seed(1))
    drawing.step(gradient, 1.0)
    torch.testing.assert_close(drawing.variable.detach(), before - 0.05 * gradient.sign(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("clamp", [True, False])
def test_the_gradient_of_grey_is_the_sum_over_colours(clamp: bool) -> None:
    drawing = new_drawing(clamp=clamp, planes=1, size=8)
    drawing.picture().sum().backward()
    torch.testing.assert_close(drawing.variable.grad, torch.full((1, 8, 8), 3.0))


@pytest.mark.parametrize("clamp", [True, False])
def test_the_picture_depends_only_on_the_seed(clamp: bool) -> None:
    assert torch.equal(new_drawing(clamp=clamp, seed=3).picture(), new_drawing(clamp=clamp, seed=3).picture())
    assert not torch.equal(new_drawing(clamp=clamp, seed=3).picture(), new_drawing(clamp=clamp, seed=4).picture())
