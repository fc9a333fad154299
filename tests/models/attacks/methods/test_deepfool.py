"""DeepFool: a linear model's border in one step, and two libraries' runs."""

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
def test_on_a_linear_model_one_step_is_the_distance_and_the_overshoot(norm: Norm, targeted: bool) -> None:
    """|margin| over the gradient's L2 norm, in Linf over its L1 norm, times 1.02; to 1 %, in one step and one look."""
    two = TwoClasses.draw()
    distance = two.margin / (two.weight.norm() if norm == "l2" else two.weight.abs().sum())
    labels = 1 - two.labels if targeted else two.labels
    best = run_float_attack(
        ATTACKS["deepfool"], two.classifier, two.pictures, labels, targeted=targeted, norm=norm, steps=1
    )
    assert best.won.all()
    torch.testing.assert_close(best.size, 1.02 * distance, rtol=0.01, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_of_several_linear_classes_the_nearest_border_is_crossed(norm: Norm) -> None:
    """Six classes: the least of the five distances."""
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


def test_the_likeliest_class_is_not_always_the_nearest() -> None:
    """Of the logits 0, -1 (gradient 1) and -2 (gradient 10), the second border is nearer: 0.2 away, not 1."""
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
    assert not likeliest.won  # white is 1 away, where the two are equal


@pytest.mark.parametrize("norm", NORMS)
def test_it_is_no_worse_than_adversarial_librarys(
    adv_lib: Any, tiny: Classifier, small_pictures: Tensor, norm: Norm
) -> None:
    """Which has no targeted one, and measures all of the three other classes."""
    ours, theirs = compare_with_oracle(
        "deepfool",
        norm,
        tiny,
        small_pictures,
        lambda model, pictures, labels: adv_lib.df(model, pictures, labels, steps=50, norm=ORDER[norm]),
    )
    assert_no_worse(ours, theirs)


@pytest.mark.parametrize("norm", NORMS)
def test_targeted_it_gets_there(tiny: Classifier, small_pictures: Tensor, norm: Norm) -> None:
    """Every target is reached, and no nearer than the nearest class in the median."""
    labels = predicted_classes(tiny, small_pictures)
    away = run_float_attack(ATTACKS["deepfool"], tiny, small_pictures, labels, norm=norm)
    there = run_float_attack(ATTACKS["deepfool"], tiny, small_pictures, (labels + 1) % 4, targeted=True, norm=norm)
    assert there.won.all()
    assert torch.equal(predicted_classes(tiny, there.pictures), (labels + 1) % 4)
    assert there.size.median() > away.size.median()


def test_passes() -> None:
    """Linear, three rows: a step is one pass per candidate, and one more sees that all have won.

    With one step the last look is without gradients; targeted there is one plane; who has won already costs nothing.
    """
    network = LinearNetwork(6, 16)
    classifier = Classifier(network, unnormalised(6, 16))
    pictures = 0.4 + 0.2 * torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    labels = predicted_classes(classifier, pictures)
    assert count_passes("deepfool", classifier, pictures) == (3 * 6, 3 * 6)
    assert count_passes("deepfool", classifier, pictures, candidates=2, steps=1) == (3 * 3, 3 * 2)
    assert count_passes("deepfool", classifier, pictures, labels=(labels + 1) % 6) == (0, 0)
    two = TwoClasses.draw(rows=3)
    assert count_passes("deepfool", two.classifier, two.pictures, labels=1 - two.labels, targeted=True) == (6, 6)


def test_a_model_that_sees_nothing_is_not_fooled() -> None:
    """Without a gradient there is no border to go to: the start stays."""
    network = LinearNetwork(2, 16)
    network.layer.weight.data.zero_()
    pictures = torch.full((2, 3, 16, 16), 0.5)
    labels = predicted_classes(Classifier(network, unnormalised(2, 16)), pictures)
    best = run_float_attack(ATTACKS["deepfool"], Classifier(network, unnormalised(2, 16)), pictures, labels, steps=3)
    assert not best.won.any()
    assert torch.equal(best.pictures, pictures)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_on_photos_it_is_no_worse_than_foolboxs(foolbox: Any, imagenet: Model, crops: Tensor, norm: Norm) -> None:
    """The middles of 64 photos, MobileNetV2, ten candidates; adversarial-library would ask for 999 at every step."""
    attacks = foolbox.attacks
    attack = {"l2": attacks.L2DeepFoolAttack, "linf": attacks.LinfDeepFoolAttack}[norm](steps=50, candidates=10)

    def oracle(model: torch.nn.Module, pictures: Tensor, labels: Tensor) -> Tensor:
        wrapped = foolbox.PyTorchModel(model.eval(), bounds=(0, 1))
        _, result, _ = attack(wrapped, pictures, foolbox.criteria.Misclassification(labels), epsilons=None)
        return result

    ours, theirs = compare_with_oracle("deepfool", norm, imagenet.classifier, centre_crops(crops), oracle)
    assert_no_worse(ours, theirs)
