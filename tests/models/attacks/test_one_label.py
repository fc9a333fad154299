"""Tests attacks on networks of several labels per picture, each of which aims at one label."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.library import fool, fool_all, summary
from models.attacks.one_label import Label, NoLabel, aimed_at
from models.attacks.options import ATTACKS
from models.attacks.survive import parse_survive
from models.attacks.task import Adversarial, AlreadyTarget, adversarial
from models.classifier import Classifier
from models.classify import classify
from models.pictures import decode, encode
from models.query import Progress
from models.run import run, run_all
from tests.conftest import Draw
from tests.kinds_of_networks import LABELS, labelling
from tests.models.attacks.attacking import few_steps, run_attack, stop_at
from tests.networks import Counting

LOGITS = (0.2, -0.15, 0.1, -3.0)
"""Those of the picture: the network finds `person` (0) and `traffic light` (2)."""
CASES = [
    *((name, norm, 1) for name, attack in ATTACKS.items() for norm in attack.norms),
    *((name, attack.norms[0], None) for name, attack in ATTACKS.items()),
]
"""Each attack in each of its norms adds a label, and in its default norm removes one."""
ENOUGH = {"epsilon": 0.1}
"""A budget in Linf with which a linear network of this size is fooled for certain."""


@pytest.fixture(scope="module")
def picture(draw: Draw) -> Tensor:
    return draw(24, 24)


@pytest.fixture(scope="module")
def labels(picture: Tensor) -> Classifier:
    return labelling(picture, LOGITS)


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def probability_in_file(classifier: Classifier, result: Adversarial, index: int) -> float:
    """What /classify gives the label for the returned picture, saved as a PNG and read again."""
    predictions = run(classify(decode(encode(result.picture)), classifier.spec, top=99), classifier)
    return next(prediction.probability for prediction in predictions if prediction.index == index)


def options_for(attack: str, norm: str) -> dict[str, Any]:
    """A budget with which the attack succeeds for certain, and as many steps as it needs."""
    entry, options = ATTACKS[attack], {}
    if "epsilon" in entry.defaults:
        options["epsilon"] = {"linf": 0.2, "l2": 5.0, "l1": 10.0}[norm]
    if attack == "square":
        options |= {"steps": 400, "stop": "first"}
    return {**(few_steps(attack) if attack == "carlini_wagner" else {}), **options}


@pytest.mark.parametrize(("attack", "norm", "target"), CASES)
def test_every_attack_removes_or_adds_a_label(
    labels: Classifier, picture: Tensor, attack: str, norm: str, target: int | None
) -> None:
    """Without a target the most probable label falls below one half in the file; with one, the target rises above it.

    All predictions are of that label, with its real name and index, and the goal says so.
    """
    index = 0 if target is None else target
    result = run_attack(labels, picture, attack=attack, norm=norm, target=target, **options_for(attack, norm))
    assert result.success
    after = probability_in_file(labels, result, index)
    assert after < 0.5 if target is None else after > 0.5
    assert result.goal == f"the probability of {LABELS[index]!r} is {'below' if target is None else 'above'} 0.5"
    predictions = [result.original, result.original_after, result.adversarial]
    if target is None:
        assert result.target is None and result.target_before is None
    else:
        assert result.target is not None and result.target_before is not None
        predictions += [result.target, result.target_before]
        assert result.target_before.probability == pytest.approx(result.original.probability, abs=1e-6)
        assert result.target.probability == pytest.approx(result.adversarial.probability, abs=1e-6)
    assert {(prediction.label, prediction.index) for prediction in predictions} == {(LABELS[index], index)}
    assert result.original.probability == pytest.approx(sigmoid(LOGITS[index]), abs=1e-5)
    for prediction in (result.adversarial, result.original_after):
        assert prediction.probability == pytest.approx(after, abs=1e-5)


@pytest.mark.parametrize("attack", ATTACKS)
def test_reported_passes_are_those_that_the_network_counted(labels: Classifier, picture: Tensor, attack: str) -> None:
    """The pass that chooses the label is included."""
    network = Counting(labels)
    task = adversarial(picture, labels.spec, attack=attack, **few_steps(attack))
    result = run(task, network)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)


@pytest.mark.parametrize("target", [None, 1])
def test_the_smallest_change_is_the_distance_to_the_border_of_the_label(draw: Draw, target: int | None) -> None:
    """For a linear network it is |z| / ||w|| of that label; rounding to 8 bits costs a little."""
    picture, logits = draw(16, 16), (1.0, -1.2, 0.5)
    classifier = labelling(picture, logits)
    index = 0 if target is None else target
    weight = classifier.network[1].weight[index]
    result = run_attack(classifier, picture, target=target, effort="thorough")
    assert result.success
    assert result.norms["l2"] == pytest.approx(abs(logits[index]) / weight.norm().item(), rel=0.02)


def test_progress_is_about_the_label(labels: Classifier, picture: Tensor) -> None:
    """Each report names the label's own index with its probability, and none else."""
    reports: list[Progress] = []
    task = adversarial(picture, labels.spec, target=1, attack="pgd", steps=5, **ENOUGH)
    result = run(task, labels, reports.append)
    probabilities = [report.probabilities() for report in reports]
    assert len(probabilities) == 5 and result.success
    for report, found in zip(reports, probabilities, strict=True):
        assert found is not None
        ((index, probability),) = found
        assert index == 1 and probability == pytest.approx(report.score())
    assert result.target is not None and probabilities[-1] == [(1, pytest.approx(result.target.probability, abs=0.02))]


def test_progress_of_a_removal_is_about_the_label_that_remains(labels: Classifier, picture: Tensor) -> None:
    """The score is the probability of the goal, that the label is absent; the report has that of the label itself."""
    reports: list[Progress] = []
    run(adversarial(picture, labels.spec, attack="pgd", steps=3, **ENOUGH), labels, reports.append)
    for report in reports:
        ((index, probability),) = report.probabilities() or []
        assert index == 0 and probability == pytest.approx(1 - (report.score() or 0))


def test_without_any_label_there_is_none_to_remove(picture: Tensor) -> None:
    """The message names the most probable label and says what to do; with a target the attack works."""
    classifier = labelling(picture, (-1.0, -0.5, -2.0))
    with pytest.raises(NoLabel, match=r"finds no label .*'bicycle', has 0\.38\): name a target"):
        run_attack(classifier, picture)
    assert run_attack(classifier, picture, target=1, attack="pgd", **ENOUGH).success


def test_a_label_that_is_found_already_is_refused_as_target(labels: Classifier, picture: Tensor) -> None:
    for target in (0, 2):
        with pytest.raises(AlreadyTarget, match=f"as '{LABELS[target]}': choose another target"):
            run_attack(labels, picture, target=target)


@pytest.mark.parametrize("logit", [0.0, -1e-9, 1e-9])
def test_a_label_counts_as_found_from_one_half_on(logit: float) -> None:
    """A sigmoid of float32 rounds to one half on both sides of it; the sign of the logit decides."""
    spec = labelling(torch.zeros(3, 16, 16, dtype=torch.uint8), LOGITS).spec
    logits = torch.tensor([-1.0, logit, -2.0, -3.0])
    if logit < 0:
        with pytest.raises(NoLabel, match=r"'bicycle', has 0\.50"):
            aimed_at(logits, spec, None)
    else:
        assert aimed_at(logits, spec, None) == Label(spec, 1)
    assert aimed_at(logits, spec, 3) == Label(spec, 3)


def test_a_network_of_one_label(picture: Tensor) -> None:
    """The label is removed from one picture, and added to another."""
    found, absent = labelling(picture, (0.5,)), labelling(picture, (-0.5,))
    removed = run_attack(found, picture, attack="pgd", **ENOUGH)
    assert removed.success and probability_in_file(found, removed, 0) < 0.5
    added = run_attack(absent, picture, attack="pgd", target=0, **ENOUGH)
    assert added.success and probability_in_file(absent, added, 0) > 0.5


def test_confidence_is_a_difference_of_logits_from_zero(labels: Classifier, picture: Tensor) -> None:
    """With a confidence of 1 the label's logit ends below -1, so its probability below 0.27."""
    result = run_attack(labels, picture, confidence=1.0)
    assert result.success and probability_in_file(labels, result, 0) < sigmoid(-1.0)


def test_masks_and_survival_hold_for_labels(labels: Classifier, picture: Tensor) -> None:
    """Half of the pixels are enough, and the JPEG file has lost the label too."""
    mask = torch.zeros(24, 24, dtype=torch.bool)
    mask[:, 12:] = True
    result = run_attack(labels, picture, mask=mask, attack="pgd", epsilon=0.2)
    assert result.success and torch.equal(result.picture[..., :12], picture[..., :12])
    tough = run_attack(labels, picture, attack="pgd", survive=parse_survive("jpeg:75"), **ENOUGH)
    file = decode(encode(tough.picture, format="jpeg", quality=75))
    predictions = {prediction.index: prediction for prediction in run(classify(file, labels.spec), labels)}
    assert tough.success and predictions[0].probability < 0.5


def test_attacks_in_a_shared_batch_end_as_alone(labels: Classifier, picture: Tensor, draw: Draw) -> None:
    """Attacks on different labels, of one picture and of others, share batches with classifications."""
    others = [draw(24, 24, seed) for seed in (1, 2)]

    def attack(target: int | None) -> Callable[[], Any]:
        return lambda: adversarial(picture, labels.spec, target=target, attack="pgd", steps=5, **ENOUGH)

    makers = [
        attack(None),
        attack(1),
        attack(3),
        *(lambda other=other: classify(other, labels.spec) for other in others),
    ]
    together = dict(run_all([make() for make in makers], labels))
    for number, make in enumerate(makers):
        alone, shared = run(make(), labels), together[number]
        if number < 3:
            assert torch.equal(alone.picture, shared.picture)
            assert shared.adversarial.index == (0, 1, 3)[number] and shared.success == alone.success
        else:
            assert [prediction.index for prediction in shared] == [prediction.index for prediction in alone]


@pytest.mark.parametrize("yields", [3, 7, 20])
def test_at_a_deadline_the_best_result_is_about_the_label(labels: Classifier, picture: Tensor, yields: int) -> None:
    task = adversarial(picture, labels.spec, target=1, attack="ddn", best_at_deadline=True)
    result = stop_at(task, labels, yields)
    assert result.stopped and (result.adversarial.label, result.adversarial.index) == ("bicycle", 1)
    assert result.adversarial.probability == pytest.approx(probability_in_file(labels, result, 1), abs=1e-5)


def test_the_library_attacks_labels_by_name(labels: Classifier, picture: Tensor) -> None:
    result = fool(labels, picture, target="bicycle", attack="ddn", steps=10)
    assert result.success and result.target is not None and result.target.index == 1
    results = dict(fool_all(labels, [picture, picture], target="dog", attack="pgd", progress=False, epsilon=0.3))
    assert summary(results.values()).fooled == 2
    already = dict(fool_all(labels, [picture], target="person", attack="pgd", progress=False))
    assert already == {0: None}
