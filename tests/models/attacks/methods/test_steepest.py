"""Steps along gradients: how many values move where only so many are to."""

import pytest
import torch

from models.attacks.methods.steepest import signs_of_largest, steepest


@pytest.mark.parametrize("side", [16, 112, 181, 224])
def test_about_as_many_values_move_as_are_to(side: int) -> None:
    """A fifth of all, to 3 %, also where every other column has no gradient at all; exactly in small pictures."""
    gradients = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    gradients[1, :, :, 1::2] = 0
    count = gradients[0].numel() // 5
    step = signs_of_largest(gradients, torch.full((2,), float(count)))
    moved = step.abs().sum(dim=(1, 2, 3))
    assert (moved - count).abs().max() <= (0 if side == 16 else 0.03 * count)
    assert torch.equal(step, gradients.sign() * step.abs())
    for row in range(2):
        assert gradients[row].abs()[step[row] != 0].min() > gradients[row].abs()[step[row] == 0].max()


def test_a_step_is_one_long() -> None:
    """In L2 by the gradient's length; in L1 over the largest hundredth; in Linf each value. No gradient, no step."""
    gradients = torch.randn(2, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    gradients[1] = 0
    torch.testing.assert_close(steepest(gradients, "l2")[0], gradients[0] / gradients[0].norm())
    assert torch.equal(steepest(gradients, "linf")[0], gradients[0].sign())
    moved = steepest(gradients, "l1")[0]
    largest = gradients[0].abs() >= gradients[0].abs().flatten().topk(12).values[-1]
    torch.testing.assert_close(moved, gradients[0].sign() * largest / 12)
    for norm in ("l2", "linf", "l1"):
        assert not steepest(gradients, norm)[1].any()
