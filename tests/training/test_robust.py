import pytest
import torch
from torch import Tensor

from training.robust import attacked


def linear(weight: Tensor) -> object:
    """Logits of two classes whose difference is weight . pixels."""
    return lambda pixels: torch.stack([torch.zeros(len(pixels)), (pixels * weight).sum(dim=(1, 2, 3))], dim=1)


WEIGHT = torch.tensor([1.0, -2.0, 3.0]).reshape(3, 1, 1).expand(3, 4, 4)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_on_a_linear_model_each_value_ends_epsilon_away(steps: int) -> None:
    """Against the label: class 1 falls along -sign(weight), class 0 along +sign(weight), whatever the start was.

    One step of 1.25 epsilon crosses the ball from no nearer than -epsilon to 0.25: only more than one surely end there.
    """
    pixels, labels = torch.full((2, 3, 4, 4), 0.5), torch.tensor([0, 1])
    found = attacked(linear(WEIGHT), pixels, labels, epsilon=0.1, steps=steps, random=torch.Generator().manual_seed(0))
    toward = torch.stack([WEIGHT.sign(), -WEIGHT.sign()])
    moved = (found - pixels) * toward
    if steps == 1:
        assert moved.min() >= 0.25 * 0.1 - 1e-6 and moved.max() <= 0.1 + 1e-6
    else:
        assert torch.allclose(moved, torch.full_like(moved, 0.1), atol=1e-6)


def test_it_stays_in_the_ball_and_among_pixels() -> None:
    random = torch.Generator().manual_seed(1)
    pixels = torch.rand(5, 3, 4, 4, generator=random)
    found = attacked(linear(WEIGHT), pixels, torch.arange(5) % 2, epsilon=0.3, steps=3, random=random)
    assert (found - pixels).abs().max() <= 0.3 + 1e-6 and found.min() >= 0 and found.max() <= 1


def test_each_row_has_its_own_start_and_the_seed_decides() -> None:
    pixels, labels = torch.full((2, 3, 4, 4), 0.5), torch.tensor([0, 0])

    def found(seed: int) -> Tensor:
        random = torch.Generator().manual_seed(seed)
        return attacked(linear(WEIGHT), pixels, labels, epsilon=0.1, steps=1, random=random)

    assert torch.equal(found(0), found(0)) and not torch.equal(found(0), found(1))
    assert not torch.equal(found(0)[0], found(0)[1])


def test_the_weights_gradients_are_left_alone() -> None:
    weight = WEIGHT.clone().requires_grad_()
    attacked(linear(weight), torch.rand(1, 3, 4, 4), torch.tensor([0]), epsilon=0.1, steps=2, random=torch.Generator())
    assert weight.grad is None
