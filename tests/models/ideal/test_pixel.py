"""Pixels as they are."""

import pytest
import torch

from models.ideal.pixel import Pixel

CPU = torch.device("cpu")


def made(*, clamp: bool, size: int = 64, planes: int = 3, rate: float = 0.5, seed: int = 0) -> Pixel:
    return Pixel(size, planes, seed=seed, clamp=clamp, learning_rate=rate, device=CPU)


def test_clamped_it_begins_as_faint_noise_on_grey() -> None:
    picture = made(clamp=True).picture()
    assert picture.mean().item() == pytest.approx(0.5, abs=0.005)
    assert picture.std().item() == pytest.approx(0.05, abs=0.002)


def test_unclamped_it_begins_as_normal_noise_and_descends_plainly() -> None:
    """N(0, 1); one step is the learning rate times the gradient: here of 3 x the sum, so 0.5 x 3 less everywhere."""
    drawing = made(clamp=False)
    start = drawing.picture().detach().clone()
    assert (start.mean().item(), start.std().item()) == pytest.approx((0, 1), abs=0.02)
    (3 * drawing.picture().sum()).backward()
    drawing.step()
    torch.testing.assert_close(drawing.picture(), start - 1.5)


def test_clamped_it_stays_within_its_range() -> None:
    drawing = made(clamp=True)
    for _ in range(5):
        (drawing.picture()[:, :2].sum() - drawing.picture()[:, 2].sum()).backward()
        drawing.step()
    assert drawing.picture()[:, :2].max() == 0 and drawing.picture()[:, 2].min() == 1


def test_one_plane_is_grey() -> None:
    red, green, blue = made(clamp=True, planes=1, size=28).picture()[0]
    assert torch.equal(red, green) and torch.equal(green, blue)


def test_a_gradient_is_forgotten_after_its_step() -> None:
    drawing = made(clamp=False)
    drawing.picture().sum().backward()
    drawing.step()
    once = drawing.picture().detach().clone()
    drawing.picture().sum().backward()
    drawing.step()
    torch.testing.assert_close(drawing.picture(), once - 0.5)


def test_clamped_the_first_step_is_that_of_adam() -> None:
    """The learning rate against the sign of the gradient, whatever its size; at 0.05 nothing is cut off."""
    drawing = made(clamp=True, size=8, rate=0.05)
    before = drawing.variable.detach().clone()
    slope = torch.randn(before.shape, generator=torch.Generator().manual_seed(1))
    drawing.variable.grad = slope.clone()
    drawing.step()
    torch.testing.assert_close(drawing.variable.detach(), before - 0.05 * slope.sign(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("clamp", [True, False])
def test_the_gradient_of_grey_is_the_sum_over_colours(clamp: bool) -> None:
    drawing = made(clamp=clamp, planes=1, size=8)
    drawing.picture().sum().backward()
    torch.testing.assert_close(drawing.variable.grad, torch.full((1, 8, 8), 3.0))


@pytest.mark.parametrize("clamp", [True, False])
def test_the_seed_is_all_that_is_random(clamp: bool) -> None:
    assert torch.equal(made(clamp=clamp, seed=3).picture(), made(clamp=clamp, seed=3).picture())
    assert not torch.equal(made(clamp=clamp, seed=3).picture(), made(clamp=clamp, seed=4).picture())
