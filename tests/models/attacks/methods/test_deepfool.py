"""Tests DeepFool: the border of a linear model in one step, and comparisons with two libraries."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import Norm
from models.attacks.options import ATTACKS
from models.classifier import Classifier
from models.store import Model
from tests.models.attacks.float_attack import predicted_classes, run_float_attack
from tests.models.attacks.minimal import (
    TwoClasses,
    assert_no_worse,
    centre_crops,
    compare_with_oracle,
    count_passes,
)
from tests.networks import LinearNetwork, unnormalised

NORMS: tuple[Norm, ...] = ("l2", "linf")
ORDER = {"l2": 2, "linf": float("inf")}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_model_one_step_reaches_the_border_with_overshoot(norm: Norm, targeted: bool) -> None:
    """The change is 1.02 |margin| over the L2 norm of the gradient (in Linf over its L1 norm), within 1 %."""
    problem = TwoClasses.draw()
    distance = problem.margin / (problem.weight.norm() if norm == "l2" else problem.weight.abs().sum())
    labels = 1 - problem.labels if targeted else problem.labels
    best = run_float_attack(
        ATTACKS["deepfool"], problem.classifier, problem.pictures, labels, targeted=targeted, norm=norm, steps=1
    )
    assert best.won.all()
    torch.testing.assert_close(best.size, 1.02 * distance, rtol=0.01, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_of_several_linear_classes_the_nearest_border_is_crossed(norm: Norm) -> None:
    """With six classes, the change is the least of the five distances."""
    network = LinearNetwork(6, 16)
    classifier, weight = Classifier(network, unnormalised(6, 16)), network.layer.weight.detach()
    pictures = 0.4 + 0.2 * torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    logits = classifier.logits(pictures)
    labels = logits.argmax(dim=1)
    steepness = (weight[labels][:, None] - weight[None]).norm(p=2 if norm == "l2" else 1, dim=2)
    distances = (logits.gather(1, labels[:, None]) - logits) / steepness
    distances.scatter_(1, labels[:, None], torch.inf)
    result = run_float_attack(ATTACKS["deepfool"], classifier, pictures, labels, norm=norm)
    torch.testing.assert_close(result.size, 1.02 * distances.amin(dim=1), rtol=0.01, atol=1e-5)


def test_the_most_probable_other_class_is_not_always_the_nearest() -> None:
    """Of the logits 0, -1 (gradient 1) and -2 (gradient 10), the last border is nearer: 0.2 away, not 1."""
    network = LinearNetwork(3, 16)
    classifier = Classifier(network, unnormalised(3, 16))
    with torch.no_grad():
        network.layer.weight.zero_()
        network.layer.weight[1, 0], network.layer.weight[2, 1] = 1, 10
        network.layer.bias.copy_(torch.tensor([0.0, -1, -2]))
    pictures, labels = torch.zeros(1, 3, 16, 16), torch.tensor([0])
    both, likeliest = (
        run_float_attack(ATTACKS["deepfool"], classifier, pictures, labels, candidates=count) for count in (2, 1)
    )
    torch.testing.assert_close(both.size, torch.tensor([0.204]), rtol=0.01, atol=0)
    assert not likeliest.won  # white is 1 away, and there the two logits are equal


@pytest.mark.parametrize("norm", NORMS)
def test_changes_are_no_larger_than_those_of_adversarial_library(
    adv_lib: Any, tiny: Classifier, small_pictures: Tensor, norm: Norm
) -> None:
    """Its DeepFool has no targeted mode and measures all three other classes."""
    ours, theirs = compare_with_oracle(
        "deepfool",
        norm,
        tiny,
        small_pictures,
        lambda model, pictures, labels: adv_lib.df(model, pictures, labels, steps=50, norm=ORDER[norm]),
    )
    assert_no_worse(ours, theirs)


@pytest.mark.parametrize("norm", NORMS)
def test_targeted_deepfool_reaches_every_target(tiny: Classifier, small_pictures: Tensor, norm: Norm) -> None:
    """Every target is reached, and the median distance is larger than to the nearest class."""
    labels = predicted_classes(tiny, small_pictures)
    untargeted = run_float_attack(ATTACKS["deepfool"], tiny, small_pictures, labels, norm=norm)
    targeted = run_float_attack(ATTACKS["deepfool"], tiny, small_pictures, (labels + 1) % 4, targeted=True, norm=norm)
    assert targeted.won.all()
    assert torch.equal(predicted_classes(tiny, targeted.pictures), (labels + 1) % 4)
    assert targeted.size.median() > untargeted.size.median()


def test_the_number_of_passes() -> None:
    """On a linear model with three rows, a step is one pass per candidate, and one more shows that all have won.

    With one step the last pass has no gradients; a targeted step has one candidate; rows that have won cost nothing.
    """
    network = LinearNetwork(6, 16)
    classifier = Classifier(network, unnormalised(6, 16))
    pictures = 0.4 + 0.2 * torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    labels = predicted_classes(classifier, pictures)
    assert count_passes("deepfool", classifier, pictures) == (3 * 6, 3 * 6)
    assert count_passes("deepfool", classifier, pictures, candidates=2, steps=1) == (3 * 3, 3 * 2)
    assert count_passes("deepfool", classifier, pictures, labels=(labels + 1) % 6) == (0, 0)
    problem = TwoClasses.draw(rows=3)
    assert count_passes("deepfool", problem.classifier, problem.pictures, labels=1 - problem.labels, targeted=True) == (
        6,
        6,
    )


def test_a_model_without_gradients_is_not_fooled() -> None:
    """Without a gradient there is no direction to a border, so the pictures are unchanged."""
    network = LinearNetwork(2, 16)
    network.layer.weight.data.zero_()
    pictures = torch.full((2, 3, 16, 16), 0.5)
    labels = predicted_classes(Classifier(network, unnormalised(2, 16)), pictures)
    best = run_float_attack(ATTACKS["deepfool"], Classifier(network, unnormalised(2, 16)), pictures, labels, steps=3)
    assert not best.won.any()
    assert torch.equal(best.pictures, pictures)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_on_photos_changes_are_no_larger_than_those_of_foolbox(
    foolbox: Any, imagenet: Model, crops: Tensor, norm: Norm
) -> None:
    """MobileNetV2 with ten candidates; adversarial-library is not used, as it measures 999 classes at every step."""
    attacks = foolbox.attacks
    attack = {"l2": attacks.L2DeepFoolAttack, "linf": attacks.LinfDeepFoolAttack}[norm](steps=50, candidates=10)

    def oracle(model: torch.nn.Module, pictures: Tensor, labels: Tensor) -> Tensor:
        wrapped = foolbox.PyTorchModel(model.eval(), bounds=(0, 1))
        _, result, _ = attack(wrapped, pictures, foolbox.criteria.Misclassification(labels), epsilons=None)
        return result

    ours, theirs = compare_with_oracle("deepfool", norm, imagenet.classifier, centre_crops(crops), oracle)
    assert_no_worse(ours, theirs)
