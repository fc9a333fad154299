"""Tests the task that POST /adversarial runs: what it reports is true of the picture that it returns."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.attacks.options import ATTACKS, BadAttack, attack_options
from models.attacks.task import AlreadyTarget, adversarial
from models.classifier import Classifier
from models.classify import classify
from models.pictures import decode, encode
from models.query import Progress
from models.run import run
from models.store import Model
from tests.conftest import Draw
from tests.models.attacks.attacking import few_steps, run_attack
from tests.networks import Counting

ATTACKS_AND_NORMS = [(name, norm) for name, attack in ATTACKS.items() for norm in attack.norms]


SIZES = [(36, 36), (97, 141), (500, 375), (33, 32), (1, 20)]


ATTACK_OPTIONS = [pytest.param("fgsm", {}), pytest.param("pgd", {"steps": 12})]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("attack", "options"), ATTACK_OPTIONS)
@pytest.mark.parametrize("target", [None, 0, 1])
def test_the_verdict_is_that_of_the_file(
    tiny: Classifier, draw: Draw, height: int, width: int, attack: str, options: dict[str, int], target: int | None
) -> None:
    """The picture, saved as a PNG at the size of the upload and read again, is classified as reported."""
    picture = draw(height, width)
    original = run(classify(picture, tiny.spec), tiny)[0]
    if target == original.index:
        target = 3 - target
    result = run_attack(tiny, picture, attack=attack, target=target, epsilon=16 / 255, **options)
    prediction_of_file = run(classify(decode(encode(result.picture)), tiny.spec), tiny)[0]
    assert result.picture.shape == picture.shape
    assert result.original == original
    assert result.adversarial.label == prediction_of_file.label
    assert result.adversarial.probability == pytest.approx(prediction_of_file.probability, abs=1e-5)
    if result.success:
        assert prediction_of_file.index == target if target is not None else prediction_of_file.index != original.index
    assert torch.equal(result.origin, picture)
    assert (result.picture.int() - picture.int()).abs().max() <= 16


def test_a_photo_at_its_own_size_fools_a_trained_network(imagenet: Model, chelsea: Tensor) -> None:
    """With 4 of 255 levels and ten steps, the file of 451 x 300 pixels is no longer classified as the cat."""
    result = run_attack(imagenet.classifier, chelsea, epsilon=4 / 255, steps=10)
    assert result.success
    prediction_of_file = run(classify(decode(encode(result.picture)), imagenet.spec), imagenet.classifier)[0]
    assert prediction_of_file.index == result.adversarial.index != result.original.index
    assert result.norms["linf"] <= 4 / 255


def test_a_photo_is_classified_as_the_target(imagenet: Model, chelsea: Tensor) -> None:
    """The target, class 9 (ostrich), gets more than half of the probability."""
    result = run_attack(imagenet.classifier, chelsea, target=9, epsilon=8 / 255, steps=15)
    assert result.success
    assert result.target is not None
    assert result.adversarial == result.target
    assert result.adversarial.label == "ostrich"
    assert result.adversarial.probability > 0.5


@given(epsilon=st.floats(1 / 255, 0.3), seed=st.integers(0, 50))
@settings(max_examples=25)
def test_epsilon_is_never_exceeded(tiny: Classifier, epsilon: float, seed: int) -> None:
    """An epsilon of 8.7 levels changes no value by more than 8, and the reported norm is not above epsilon."""
    random = torch.Generator().manual_seed(seed)
    picture = torch.randint(0, 256, (3, 30, 41), dtype=torch.uint8, generator=random)
    for attack in ATTACKS:
        if "epsilon" not in ATTACKS[attack].defaults or "linf" not in ATTACKS[attack].norms:
            continue
        options = {"steps": 4} if "steps" in ATTACKS[attack].defaults else {}
        result = run_attack(tiny, picture, attack=attack, epsilon=epsilon, **options)
        assert (result.picture.int() - picture.int()).abs().max() <= epsilon * 255 + 1e-3
        assert result.norms["linf"] <= epsilon + 1e-6


def test_the_same_seed_gives_the_same_bytes(tiny: Classifier, draw: Draw) -> None:
    one, again, other = (run_attack(tiny, draw(50, 40), attack="pgd", steps=5, seed=seed).picture for seed in (3, 3, 4))
    assert encode(one) == encode(again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("attack", "norm"), ATTACKS_AND_NORMS)
def test_reported_passes_are_those_that_the_network_counted(
    tiny: Classifier, draw: Draw, attack: str, norm: str
) -> None:
    """The passes of the search on the lattice are included, for every attack and norm."""
    network = Counting(tiny)
    result = run(adversarial(draw(50, 40), tiny.spec, attack=attack, norm=norm, **few_steps(attack)), network)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)


@pytest.mark.parametrize(("attack", "options", "passes"), [("fgsm", {}, (4, 1)), ("pgd", {"steps": 12}, (15, 12))])
def test_the_number_of_passes_of_fgsm_and_pgd(
    tiny: Classifier, draw: Draw, attack: str, options: dict[str, int], passes: tuple[int, int]
) -> None:
    """One pass for the original, one with gradients per step, one for the end and one for the file."""
    result = run_attack(tiny, draw(50, 40), attack=attack, epsilon=0.2, **options)
    assert (result.passes.forward, result.passes.backward) == passes


@pytest.mark.parametrize(("attack", "options"), ATTACK_OPTIONS)
def test_progress_is_reported_for_every_step(
    tiny: Classifier, draw: Draw, attack: str, options: dict[str, int]
) -> None:
    """The score is a probability that never falls, and the preview lies in [0, 1]."""
    reports: list[Progress] = []
    run(adversarial(draw(50, 40), tiny.spec, attack=attack, **options), tiny, reports.append)
    steps = options.get("steps", 1)
    assert [(report.step, report.steps) for report in reports] == [(step + 1, steps) for step in range(steps)]
    scores = [report.score() for report in reports]
    assert all(score is not None and 0 <= score <= 1 for score in scores)
    assert scores == sorted(scores)
    assert all(
        report.render() is not None and report.render().min() >= 0 and report.render().max() <= 1 for report in reports
    )


def test_the_predicted_class_is_refused_as_target(tiny: Classifier, draw: Draw) -> None:
    predicted = run(classify(draw(60, 50), tiny.spec), tiny)[0]
    with pytest.raises(AlreadyTarget, match=f"{predicted.label}.*choose another target"):
        run_attack(tiny, draw(60, 50), target=predicted.index)


@pytest.mark.parametrize(
    ("attack", "options", "reason"),
    [
        ("nonsense", {}, "choose one of auto, fgsm,"),
        ("", {}, "there is no attack"),
        ("pgd", {"epsilon": math.nan}, "epsilon must be a number of 0 or more"),
        ("pgd", {"epsilon": -8 / 255}, "epsilon must be a number of 0 or more"),
        ("pgd", {"epsilon": 0.0}, "epsilon must be from 1/255"),
        ("pgd", {"epsilon": 0.9 / 255}, "epsilon must be from 1/255"),
        ("pgd", {"epsilon": 2.0}, "epsilon must be from 1/255"),
        ("pgd", {"epsilon": math.inf}, "epsilon must be a number of 0 or more"),
        ("pgd", {"steps": 0}, "steps must be a whole number from 1 to 1000"),
        ("pgd", {"steps": -1}, "steps must be a whole number from 1 to 1000"),
        ("pgd", {"steps": 10**9}, "steps must be a whole number from 1 to 1000"),
        ("pgd", {"steps": 2.5}, "steps must be a whole number from 1 to 1000"),
        ("pgd", {"seed": 10**30}, "seed must be a whole number from 0"),
        ("pgd", {"seed": -1}, "seed must be a whole number from 0"),
        ("pgd", {"momentum": 1.0}, "pgd takes no momentum"),
        ("fgsm", {"steps": 3}, "fgsm takes no steps: its options are epsilon"),
        ("fgsm", {"epsilon": math.nan}, "epsilon must be a number of 0 or more"),
    ],
)
def test_bad_options_are_refused_before_any_query(
    draw: Draw, tiny: Classifier, attack: str, options: dict[str, object], reason: str
) -> None:
    network = Counting(tiny)
    with pytest.raises(BadAttack, match=reason):
        run(adversarial(draw(40, 40), tiny.spec, attack=attack, **options), network)
    assert network.forward == 0


def test_the_message_for_a_very_long_name_is_short() -> None:
    with pytest.raises(BadAttack) as caught:
        attack_options("x" * 10_000, None, {})
    assert len(str(caught.value)) < 300


def test_options_are_completed_with_defaults() -> None:
    norm, options = attack_options("pgd", "l2", {"steps": 7})
    assert (norm, options["norm"], options["epsilon"], options["steps"], options["seed"]) == ("l2", "l2", 3.0, 7, 0)
    assert attack_options("fgsm", None, {"epsilon": 1 / 255}) == ("linf", {"epsilon": 1 / 255})


def test_the_perturbation_is_amplified_around_grey(tiny: Classifier, draw: Draw) -> None:
    """The largest change, +2 levels, becomes white; -1 lies halfway to black, and no change is grey."""
    result = run_attack(tiny, draw(40, 40), attack="fgsm")
    picture = result.origin.clone()
    picture[0, 0, 0] += 2
    picture[1, 3, 4] -= 1
    perturbation = dataclasses.replace(result, picture=picture).perturbation
    assert perturbation[0, 0, 0] == 255
    assert perturbation[1, 3, 4] == 64
    assert perturbation[2].unique().tolist() == [128]


def test_no_perturbation_is_grey(tiny: Classifier, draw: Draw) -> None:
    result = run_attack(tiny, draw(40, 40), attack="fgsm")
    assert dataclasses.replace(result, picture=result.origin).perturbation.unique().tolist() == [128]
