"""PGD: foolbox's own run, picture by picture."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import Norm
from models.attacks.options import ATTACKS
from models.classifier import Classifier
from tests.models.attacks.bare import Bare, answers, bare
from tests.networks import Recording


@pytest.mark.parametrize(("norm", "name", "epsilon"), [("linf", "LinfPGD", 8 / 255), ("l2", "L2PGD", 1.5)])
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_it_is_foolboxs(
    foolbox: Any,
    tiny: Classifier,
    small_pictures: Tensor,
    norm: Norm,
    name: str,
    epsilon: float,
    targeted: bool,
    steps: int,
) -> None:
    """From the same start, the picture itself, after so many steps every pixel agrees to 1e-5, and moved far."""
    pictures, length = small_pictures[:8], epsilon / 4
    labels = (answers(tiny, pictures) + int(targeted)) % 4
    network = Recording(tiny)
    options = {"norm": norm, "epsilon": epsilon, "steps": steps, "step_size": length, "random_start": False}
    bare(ATTACKS["pgd"], network, pictures, labels, targeted=targeted, **options)
    attack = getattr(foolbox.attacks, name)(steps=steps, abs_stepsize=length, random_start=False)
    wanted = (foolbox.criteria.TargetedMisclassification if targeted else foolbox.criteria.Misclassification)(labels)
    wrapped = foolbox.PyTorchModel(Bare(tiny).eval(), bounds=(0, 1))
    _, theirs, _ = attack(wrapped, pictures, wanted, epsilons=epsilon)
    torch.testing.assert_close(network.pixels[-1], theirs, rtol=0, atol=1e-5)
    assert (theirs - pictures).abs().amax(dim=(1, 2, 3)).min() > 1 / 255
