"""Tests what can be asked of a network without gradients: to classify, its feature maps, and the Square attack."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.curves.curve import curve
from models.attacks.library import fool
from models.attacks.options import ATTACKS, BadAttack, choose_attack
from models.attacks.targets import suggest_targets
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.classify import classify
from models.explain import METHODS, BadExplanation, explain
from models.feature_sheet import feature_sheet
from models.features import features
from models.ideal import BadIdeal, ideal
from models.pictures import decode, encode
from models.preprocessing import preprocess, to_float
from models.query import Query
from models.run import run
from tests.conftest import Draw
from tests.kinds_of_networks import stepping
from tests.models.attacks.attacking import run_attack
from tests.networks import Counting

SIZE = (16, 24)
WHAT_TO_DO = r"can classify pictures, show its feature maps, and be attacked by `attack=square`"


@pytest.fixture(scope="module")
def picture(draw: Draw) -> Tensor:
    return draw(20, 30)


@pytest.fixture(scope="module")
def steps(picture: Tensor) -> Classifier:
    """Return a network of three classes, which takes the picture for a bicycle by three tenths of a logit."""
    return stepping(picture, (0.05, 0.35, -0.15), SIZE)


def test_square_is_the_default_and_the_only_attack() -> None:
    for options in ({}, {"epsilon": 0.1}, {"steps": 3}):
        assert choose_attack(None, options, differentiable=False) == "square"
    assert choose_attack("square", {}, differentiable=False) == "square"
    for attack in ATTACKS.keys() - {"square"}:
        with pytest.raises(BadAttack, match=f"no gradients .*{attack} needs them: it {WHAT_TO_DO}"):
            choose_attack(attack, {}, differentiable=False)


def test_an_unknown_attack_is_reported_as_for_other_networks(steps: Classifier, picture: Tensor) -> None:
    with pytest.raises(BadAttack, match="choose one of auto, fgsm"):
        run_attack(steps, picture, attack="magic")


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("l2", 6.0)])
@pytest.mark.parametrize("targeted", [False, True])
def test_square_fools_a_network_of_steps(
    steps: Classifier, picture: Tensor, norm: str, epsilon: float, targeted: bool
) -> None:
    """Its logits are constant nearly everywhere. The file is classified as reported, and no gradient is asked for."""
    original, second, _ = run(classify(picture, steps.spec), steps)
    assert (original.label, second.label) == ("bicycle", "person")
    network = Counting(steps)
    target = second.index if targeted else None
    task = adversarial(picture, steps.spec, norm=norm, target=target, epsilon=epsilon, steps=400, stop="first")
    result = run(task, network)
    assert result.success and result.attack == "square" and result.original == original
    prediction = run(classify(decode(encode(result.picture)), steps.spec), steps)[0]
    assert prediction == result.adversarial and prediction.index != original.index
    assert not targeted or prediction.index == target
    assert (network.forward, network.backward) == (result.passes.forward, 0)


def test_square_removes_and_adds_labels_of_a_network_of_steps(picture: Tensor) -> None:
    """Several labels per picture and no gradients: a label that is found is removed, one that is not is added."""
    classifier = stepping(picture, (0.05, -0.05, -0.15), SIZE, multi_label=True)
    removed = fool(classifier, picture, epsilon=0.1, steps=300, stop="first")
    added = fool(classifier, picture, target="bicycle", epsilon=0.1, steps=300, stop="first")
    assert removed.success and removed.adversarial.label == "person" and removed.adversarial.probability < 0.5
    assert added.success and added.adversarial.label == "bicycle" and added.adversarial.probability > 0.5
    with pytest.raises(BadAttack, match="pgd needs them"):
        fool(classifier, picture, attack="pgd")
    with pytest.raises(BadAttack, match="the curve needs them"):
        run(curve(picture, classifier.spec), classifier)


Ask = Callable[[Classifier, Tensor], Any]


def attack_by(name: str) -> Ask:
    return lambda network, picture: adversarial(picture, network.spec, attack=name)


def explanation_by(method: str) -> Ask:
    return lambda network, picture: explain(
        picture, network.spec, method=method, layer=network.layers[0] if method == "grad_cam" else None
    )


REFUSED: dict[str, tuple[Ask, type[Exception], str]] = {
    "curve": (lambda network, picture: curve(picture, network.spec), BadAttack, "the curve needs them"),
    "targets": (lambda network, picture: suggest_targets(picture, network.spec), BadAttack, "DeepFool needs them"),
    "class": (lambda network, _: ideal(0, network.spec), BadIdeal, "gradient ascent needs them"),
    "channel": (lambda network, _: ideal((network.layers[0], 0), network.spec), BadIdeal, "gradient ascent needs them"),
    **{method: (explanation_by(method), BadExplanation, "every explanation needs them") for method in METHODS},
    **{name: (attack_by(name), BadAttack, f"{name} needs them") for name in ATTACKS if name != "square"},
}
"""Tasks that need gradients, with the error and what it says about them."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_gradients_is_refused_before_any_query(steps: Classifier, picture: Tensor, name: str) -> None:
    """The message says what needs them, and what this model can do instead."""
    ask, error, what = REFUSED[name]
    network = Counting(steps)
    with pytest.raises(error, match=f"gives no gradients .*{what}.*{WHAT_TO_DO}"):
        run(ask(steps, picture), network)
    assert network.forward == 0


def test_a_classifier_without_gradients_is_warmed_up_measured_and_folded(steps: Classifier) -> None:
    """Only passes without gradients are measured; the folded network gives the same logits."""
    folded = steps.fold()
    folded.warm_up()
    folded.pass_times.measure(folded, size=folded.spec.size, most=2, gradients=False)
    assert folded.pass_times.forward.knee is not None and folded.pass_times.gradients.knee is None
    assert folded.pass_times.query_rows >= 1
    pixels = torch.rand(3, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    (before,), (after,) = steps.answer([Query(pixels)]), folded.answer([Query(pixels)])
    assert torch.equal(before.logits, after.logits)
    assert (before.logits * 10 - (before.logits * 10).round()).abs().max() < 1e-5, "tenths"


def test_feature_maps_need_no_gradients(steps: Classifier, picture: Tensor) -> None:
    """The linear layer before the steps has three channels, whose values lie up to a tenth above the logits."""
    (layer,) = steps.layers
    assert (layer.name, layer.channels, layer.height, layer.width, layer.decides) == ("linear", 3, 1, 1, True)
    result = run(features(picture, steps.spec, layer), steps)
    (answer,) = steps.answer([Query(preprocess(to_float(picture).unsqueeze(0), steps.spec))])
    values = dict(zip([channel.channel for channel in result.shown], result.maps.flatten().tolist(), strict=True))
    for index, logit in enumerate(answer.logits[0].tolist()):
        assert logit - 1e-4 <= values[index] <= logit + 0.1 + 1e-4
    assert feature_sheet(result, "steps").shape[0] == 3
