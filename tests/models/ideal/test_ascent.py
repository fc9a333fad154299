"""Tests the views of a pass and the gradients of its steps, against autograd through the whole."""

import pytest
import torch
from torch import Tensor

from models.ideal.ascent import Views, whole
from models.ideal.crops import random_crops
from tests.networks import unnormalised

SPEC = unnormalised(2, 16)
SIZES = [12, 16, 40]
"""Pictures that are smaller than the network's input, as large, and so large that they are made smaller first."""


def made(size: int) -> tuple[Tensor, Tensor]:
    """A variable, and the picture that is made of it."""
    variable = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0)).requires_grad_()
    return variable, variable.sigmoid()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("steps", "crops"), [(1, 1), (1, 3), (3, 2), (4, 1)])
def test_each_step_has_the_gradient_of_its_own_views(size: int, steps: int, crops: int) -> None:
    """The loss of a view is a weighted sum of its pixels; a step's is the mean over its views, plus its variation."""
    variable, picture = made(size)
    views = Views(picture, SPEC, torch.Generator().manual_seed(1), steps=steps, crops=crops)
    weights = torch.randn(views.pixels.shape, generator=torch.Generator().manual_seed(2))
    gradients = views.gradients(weights / len(weights), variable, tv=0.5)
    assert len(gradients) == steps
    for step, gradient in enumerate(gradients):
        again = variable.detach().requires_grad_()
        picture = again.sigmoid()
        same = random_crops(picture, steps * crops, SPEC, torch.Generator().manual_seed(1))
        assert torch.equal(same, views.pixels)
        own = slice(step * crops, (step + 1) * crops)
        loss = (weights * same)[own].sum() / crops + 0.5 * variation(picture)
        torch.testing.assert_close(gradient, torch.autograd.grad(loss, again)[0])


@pytest.mark.parametrize("size", SIZES)
def test_without_crops_the_view_is_the_whole_picture(size: int) -> None:
    variable, picture = made(size)
    views = Views(picture, SPEC, torch.Generator(), steps=1, crops=0)
    assert torch.equal(views.pixels, whole(picture, SPEC)) and views.pixels.shape == (1, 3, 16, 16)
    (gradient,) = views.gradients(torch.ones_like(views.pixels), variable, tv=0.0)
    again = variable.detach().requires_grad_()
    torch.testing.assert_close(gradient, torch.autograd.grad(whole(again.sigmoid(), SPEC).sum(), again)[0])


def variation(picture: Tensor) -> Tensor:
    """The total variation: the mean absolute difference of neighbours across and down."""
    return picture.diff(dim=2).abs().mean() + picture.diff(dim=3).abs().mean()
