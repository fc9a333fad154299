"""Tests PGD, FGSM and BIM: closed forms on a linear model, and equality of PGD with Foolbox."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.attacks.geometry import Norm
from models.attacks.options import ATTACKS
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.preprocessing import preprocessor, to_float
from models.query import Query
from models.run import run
from tests.models.attacks.float_attack import LogitsModule, predicted_classes, run_float_attack
from tests.networks import LinearNetwork, Recording, unnormalised

SIDE = 16


@pytest.fixture(scope="module")
def two_classes() -> Classifier:
    """Return a linear model of two classes, whose log odds have the same gradient everywhere."""
    return Classifier(LinearNetwork(2, SIDE), unnormalised(2, SIDE))


@pytest.fixture(scope="module")
def gradient() -> Tensor:
    """Return the gradient of the log odds of class 0 over class 1, [3, 16, 16]."""
    weight = LinearNetwork(2, SIDE).layer.weight.detach()
    return (weight[0] - weight[1]).reshape(3, SIDE, SIDE)


def levels(seed: int) -> Tensor:
    """Return a picture so far from black and white that no epsilon of the tests reaches them."""
    random = torch.Generator().manual_seed(seed)
    return torch.randint(60, 196, (3, SIDE, SIDE), dtype=torch.uint8, generator=random)


@pytest.mark.parametrize(
    ("attack", "options"),
    [
        ("fgsm", {}),
        ("bim", {}),
        ("bim", {"steps": 3}),
        ("pgd", {}),
        ("pgd", {"steps": 1}),
        ("pgd", {"restarts": 2, "steps": 10}),
    ],
)
@pytest.mark.parametrize("targeted", [False, True])
@given(seed=st.integers(0, 200), budget=st.integers(1, 40))
@settings(max_examples=8)
def test_on_a_linear_model_every_value_changes_by_epsilon(
    two_classes: Classifier,
    gradient: Tensor,
    attack: str,
    options: dict[str, int],
    targeted: bool,
    seed: int,
    budget: int,
) -> None:
    """The best picture within epsilon is known: every value changes by epsilon against the sign of the gradient.

    With two classes, targeted and untargeted are the same. One step of PGD is enough.
    """
    picture = levels(seed)
    logits = two_classes.answer([Query(to_float(picture).unsqueeze(0))])[0].logits[0]
    predicted = int(logits.argmax())
    target = 1 - predicted if targeted else None
    task = adversarial(picture, two_classes.spec, attack=attack, target=target, epsilon=budget / 255, **options)
    result = run(task, two_classes)
    uphill = gradient if predicted == 0 else -gradient
    expected_picture = picture.int() - budget * uphill.sign().int()
    assert torch.equal(result.picture.int(), expected_picture)
    # In the optimum the margin has fallen by epsilon times the L1 norm of the gradient.
    margin = (logits[predicted] - logits[1 - predicted]).item() - budget / 255 * gradient.abs().sum().item()
    expected = torch.sigmoid(torch.tensor(-margin)).item()
    probability = (
        result.adversarial.probability if result.adversarial.index != predicted else 1 - result.adversarial.probability
    )
    assert abs(probability - expected) < 1e-4
    assert result.success == (margin < -1e-3)


@pytest.mark.parametrize("attack", ["fgsm", "bim", "pgd"])
def test_values_stop_at_black_and_white(two_classes: Classifier, gradient: Tensor, attack: str) -> None:
    """Where a change by epsilon would leave [0, 1], the level stops at 0 or 255."""
    picture = torch.randint(0, 256, (3, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    result = run(adversarial(picture, two_classes.spec, attack=attack, epsilon=20 / 255), two_classes)
    uphill = gradient if result.original.index == 0 else -gradient
    assert torch.equal(result.picture.int(), (picture.int() - 20 * uphill.sign().int()).clamp(0, 255))


def test_pgd_is_stronger_than_fgsm_on_a_nonlinear_model(tiny: Classifier) -> None:
    """On a convolutional network, the mean log probability of the label over twenty pictures ends lower."""
    mean_log_probability: dict[str, float] = {}
    for attack in ("fgsm", "pgd"):
        options = {"steps": 20} if attack == "pgd" else {}
        total = 0.0
        for seed in range(20):
            random = torch.Generator().manual_seed(seed)
            picture = torch.randint(0, 256, (3, 36, 36), dtype=torch.uint8, generator=random)
            result = run(adversarial(picture, tiny.spec, attack=attack, epsilon=4 / 255, **options), tiny)
            logits = tiny.logits(preprocessor(tiny.spec)(to_float(result.picture).unsqueeze(0)))[0]
            total += logits.log_softmax(dim=0)[result.original.index].item()
        mean_log_probability[attack] = total / 20
    assert mean_log_probability["pgd"] < mean_log_probability["fgsm"]


def test_without_a_random_start_only_restarts_are_random(tiny: Classifier, small_pictures: Tensor) -> None:
    """The first run starts at the picture itself, and the second one at a random point."""
    network = Recording(tiny)
    labels = predicted_classes(tiny, small_pictures[:1])
    run_float_attack(ATTACKS["pgd"], network, small_pictures[:1], labels, steps=2, restarts=2, random_start=False)
    look, first, _, _, second, *_ = network.pixels
    assert torch.equal(look, first)
    assert (second - first).abs().max() > 1 / 255


@pytest.mark.parametrize(("norm", "name", "epsilon"), [("linf", "LinfPGD", 8 / 255), ("l2", "L2PGD", 1.5)])
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_pgd_agrees_with_foolbox(
    foolbox: Any,
    tiny: Classifier,
    small_pictures: Tensor,
    norm: Norm,
    name: str,
    epsilon: float,
    targeted: bool,
    steps: int,
) -> None:
    """From the picture itself, after the same steps every pixel agrees to 1e-5, and all pictures have changed."""
    pictures, length = small_pictures[:8], epsilon / 4
    labels = (predicted_classes(tiny, pictures) + int(targeted)) % 4
    network = Recording(tiny)
    options = {"norm": norm, "epsilon": epsilon, "steps": steps, "step_size": length, "random_start": False}
    run_float_attack(ATTACKS["pgd"], network, pictures, labels, targeted=targeted, **options)
    attack = getattr(foolbox.attacks, name)(steps=steps, abs_stepsize=length, random_start=False)
    criterion = (foolbox.criteria.TargetedMisclassification if targeted else foolbox.criteria.Misclassification)(labels)
    wrapped = foolbox.PyTorchModel(LogitsModule(tiny).eval(), bounds=(0, 1))
    _, theirs, _ = attack(wrapped, pictures, criterion, epsilons=epsilon)
    torch.testing.assert_close(network.pixels[-1], theirs, rtol=0, atol=1e-5)
    assert (theirs - pictures).abs().amax(dim=(1, 2, 3)).min() > 1 / 255
