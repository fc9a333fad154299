import pytest
import torch
from torch import Tensor

from training.robust import attacked


def linear(weight: Tensor) -> object:
    """A model of two classes; the difference of its logits is the dot product of weight and pixels."""
    return lambda pixels: torch.stack([torch.zeros(len(pixels)), (pixels * weight).sum(dim=(1, 2, 3))], dim=1)


WEIGHT = torch.tensor([1.0, -2.0, 3.0]).reshape(3, 1, 1).expand(3, 4, 4)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_on_a_linear_model_every_value_changes_by_epsilon(steps: int) -> None:
    """Class 1 loses along -sign(weight) and class 0 along +sign(weight), from any start.

    One step of 1.25 epsilon that starts at -epsilon ends at 0.25 epsilon; several steps reach epsilon.
    """
    pixels, labels = torch.full((2, 3, 4, 4), 0.5), torch.tensor([0, 1])
    perturbed = attacked(
        linear(WEIGHT), pixels, labels, epsilon=0.1, steps=steps, random=torch.Generator().manual_seed(0)
    )
    toward = torch.stack([WEIGHT.sign(), -WEIGHT.sign()])
    moved = (perturbed - pixels) * toward
    if steps == 1:
        assert moved.min() >= 0.25 * 0.1 - 1e-6 and moved.max() <= 0.1 + 1e-6
    else:
        assert torch.allclose(moved, torch.full_like(moved, 0.1), atol=1e-6)


def test_the_result_stays_within_epsilon_and_between_0_and_1() -> None:
    random = torch.Generator().manual_seed(1)
    pixels = torch.rand(5, 3, 4, 4, generator=random)
    perturbed = attacked(linear(WEIGHT), pixels, torch.arange(5) % 2, epsilon=0.3, steps=3, random=random)
    assert (perturbed - pixels).abs().max() <= 0.3 + 1e-6 and perturbed.min() >= 0 and perturbed.max() <= 1


def test_rows_have_different_starts_that_depend_on_the_seed() -> None:
    pixels, labels = torch.full((2, 3, 4, 4), 0.5), torch.tensor([0, 0])

    def perturb(seed: int) -> Tensor:
        random = torch.Generator().manual_seed(seed)
        return attacked(linear(WEIGHT), pixels, labels, epsilon=0.1, steps=1, random=random)

    assert torch.equal(perturb(0), perturb(0)) and not torch.equal(perturb(0), perturb(1))
    assert not torch.equal(perturb(0)[0], perturb(0)[1])


def test_the_attack_leaves_no_gradients_of_weights() -> None:
    weight = WEIGHT.clone().requires_grad_()
    attacked(linear(weight), torch.rand(1, 3, 4, 4), torch.tensor([0]), epsilon=0.1, steps=2, random=torch.Generator())
    assert weight.grad is None
