"""Tests DDN: the optimum of a linear model, and equality with adversarial-library."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.options import ATTACKS
from models.classifier import Classifier
from tests.models.attacks.float_attack import LogitsModule, predicted_classes, run_float_attack
from tests.networks import LinearNetwork, unnormalised


def test_on_a_linear_model_the_change_is_the_distance_to_the_border() -> None:
    """For two classes it is |margin| / |gradient|, found within 1 %."""
    network = LinearNetwork(2, 16)
    classifier = Classifier(network, unnormalised(2, 16))
    weight = network.layer.weight.detach()
    pictures = 0.4 + 0.2 * torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    logits = classifier.logits(pictures)
    distance = (logits[:, 0] - logits[:, 1]).abs() / (weight[0] - weight[1]).norm()
    best = run_float_attack(ATTACKS["ddn"], classifier, pictures, logits.argmax(dim=1))
    assert best.won.all()
    torch.testing.assert_close(best.size, distance, rtol=0.01, atol=2e-3)


@pytest.mark.parametrize("targeted", [False, True])
def test_ddn_agrees_with_adversarial_library(
    adv_lib: Any, tiny: Classifier, small_pictures: Tensor, targeted: bool
) -> None:
    """From the same start with the same steps, every pixel agrees to 1e-5."""
    labels = predicted_classes(tiny, small_pictures)
    if targeted:
        labels = (labels + 1) % 4
    theirs = adv_lib.ddn(LogitsModule(tiny), small_pictures, labels, targeted=targeted, steps=40, levels=None)
    ours = run_float_attack(ATTACKS["ddn"], tiny, small_pictures, labels, targeted=targeted, steps=40)
    assert ours.won.all()
    torch.testing.assert_close(ours.pictures, theirs, rtol=0, atol=1e-5)
