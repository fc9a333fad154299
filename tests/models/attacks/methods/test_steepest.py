"""Tests steps along the gradient: their length in every norm, and how many values they move."""

import pytest
import torch

from models.attacks.methods.steepest import signs_of_largest, steepest


@pytest.mark.parametrize("side", [16, 112, 181, 224])
def test_about_the_given_number_of_values_moves(side: int) -> None:
    """A fifth of all values moves, within 3 % (exactly in small pictures), also where half the gradients are 0."""
    gradients = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    gradients[1, :, :, 1::2] = 0
    count = gradients[0].numel() // 5
    step = signs_of_largest(gradients, torch.full((2,), float(count)))
    moved_values = step.abs().sum(dim=(1, 2, 3))
    assert (moved_values - count).abs().max() <= (0 if side == 16 else 0.03 * count)
    assert torch.equal(step, gradients.sign() * step.abs())
    for row in range(2):
        assert gradients[row].abs()[step[row] != 0].min() > gradients[row].abs()[step[row] == 0].max()


def test_a_step_has_length_1() -> None:
    """L2 divides by the norm, L1 spreads 1 over the largest 1 % of values, Linf takes the sign; gradient 0 gives 0."""
    gradients = torch.randn(2, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    gradients[1] = 0
    torch.testing.assert_close(steepest(gradients, "l2")[0], gradients[0] / gradients[0].norm())
    assert torch.equal(steepest(gradients, "linf")[0], gradients[0].sign())
    step = steepest(gradients, "l1")[0]
    largest = gradients[0].abs() >= gradients[0].abs().flatten().topk(12).values[-1]
    torch.testing.assert_close(step, gradients[0].sign() * largest / 12)
    for norm in ("l2", "linf", "l1"):
        assert not steepest(gradients, norm)[1].any()
