"""The task behind /adversarial: what it reports is true of the picture that it returns."""

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
from tests.models.attacks.attacking import attacked, few_steps
from tests.networks import Counting

EACH_ATTACK = [(name, norm) for name, attack in ATTACKS.items() for norm in attack.norms]


SIZES = [(36, 36), (97, 141), (500, 375), (33, 32), (1, 20)]


EACH = [pytest.param("fgsm", {}), pytest.param("pgd", {"steps": 12})]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("attack", "options"), EACH)
@pytest.mark.parametrize("target", [None, 0, 1])
def test_the_verdict_is_that_of_the_file(
    tiny: Classifier, draw: Draw, height: int, width: int, attack: str, options: dict[str, int], target: int | None
) -> None:
    """Written to a PNG, read again and classified like any upload, at the upload's own size, to the last digit."""
    picture = draw(height, width)
    original = run(classify(picture, tiny.spec), tiny)[0]
    if target == original.index:
        target = 3 - target
    result = attacked(tiny, picture, attack=attack, target=target, epsilon=16 / 255, **options)
    again = run(classify(decode(encode(result.picture)), tiny.spec), tiny)[0]
    assert result.picture.shape == picture.shape
    assert result.original == original
    assert result.adversarial.label == again.label
    assert result.adversarial.probability == pytest.approx(again.probability, abs=1e-5)
    if result.success:
        assert again.index == target if target is not None else again.index != original.index
    assert torch.equal(result.origin, picture)
    assert (result.picture.int() - picture.int()).abs().max() <= 16


def test_a_photo_at_its_own_size_fools_a_trained_network(imagenet: Model, chelsea: Tensor) -> None:
    """451 x 300 pixels, 4 levels of 255, ten steps: the cat is no cat any more, in the file."""
    result = attacked(imagenet.classifier, chelsea, epsilon=4 / 255, steps=10)
    assert result.success
    again = run(classify(decode(encode(result.picture)), imagenet.spec), imagenet.classifier)[0]
    assert again.index == result.adversarial.index != result.original.index
    assert result.norms["linf"] <= 4 / 255


def test_a_photo_becomes_what_is_asked_for(imagenet: Model, chelsea: Tensor) -> None:
    """Targeted: an ostrich (9), with most of the probability."""
    result = attacked(imagenet.classifier, chelsea, target=9, epsilon=8 / 255, steps=15)
    assert result.success
    assert result.target is not None
    assert result.adversarial == result.target
    assert result.adversarial.label == "ostrich"
    assert result.adversarial.probability > 0.5


@given(epsilon=st.floats(1 / 255, 0.3), seed=st.integers(0, 50))
@settings(max_examples=25)
def test_epsilon_is_never_exceeded(tiny: Classifier, epsilon: float, seed: int) -> None:
    """Between whole levels too: 8.7 levels move no level by more than 8, and the figure that is told is not above."""
    random = torch.Generator().manual_seed(seed)
    picture = torch.randint(0, 256, (3, 30, 41), dtype=torch.uint8, generator=random)
    for attack in ATTACKS:
        if "epsilon" not in ATTACKS[attack].defaults or "linf" not in ATTACKS[attack].norms:
            continue
        options = {"steps": 4} if "steps" in ATTACKS[attack].defaults else {}
        result = attacked(tiny, picture, attack=attack, epsilon=epsilon, **options)
        assert (result.picture.int() - picture.int()).abs().max() <= epsilon * 255 + 1e-3
        assert result.norms["linf"] <= epsilon + 1e-6


def test_the_same_seed_gives_the_same_bytes(tiny: Classifier, draw: Draw) -> None:
    one, again, other = (attacked(tiny, draw(50, 40), attack="pgd", steps=5, seed=seed).picture for seed in (3, 3, 4))
    assert encode(one) == encode(again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("attack", "norm"), EACH_ATTACK)
def test_passes_are_what_the_network_counted(tiny: Classifier, draw: Draw, attack: str, norm: str) -> None:
    """Row by row, of every attack with its search on the lattice."""
    network = Counting(tiny)
    result = run(adversarial(draw(50, 40), tiny.spec, attack=attack, norm=norm, **few_steps(attack)), network)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)


@pytest.mark.parametrize(("attack", "options", "passes"), [("fgsm", {}, (4, 1)), ("pgd", {"steps": 12}, (15, 12))])
def test_passes_by_hand(
    tiny: Classifier, draw: Draw, attack: str, options: dict[str, int], passes: tuple[int, int]
) -> None:
    """A look at the original, one with gradients a step, one at the end, one at the file."""
    result = attacked(tiny, draw(50, 40), attack=attack, epsilon=0.2, **options)
    assert (result.passes.forward, result.passes.backward) == passes


@pytest.mark.parametrize(("attack", "options"), EACH)
def test_progress_counts_up_to_the_end(tiny: Classifier, draw: Draw, attack: str, options: dict[str, int]) -> None:
    """Every step once, with a score that is a probability and a picture in [0, 1]; the score never falls."""
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


def test_a_target_that_it_is_already(tiny: Classifier, draw: Draw) -> None:
    present = run(classify(draw(60, 50), tiny.spec), tiny)[0]
    with pytest.raises(AlreadyTarget, match=f"{present.label}.*choose another target"):
        attacked(tiny, draw(60, 50), target=present.index)


@pytest.mark.parametrize(
    ("attack", "given", "reason"),
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
def test_bad_options_are_refused_before_anything_is_asked(
    draw: Draw, tiny: Classifier, attack: str, given: dict[str, object], reason: str
) -> None:
    network = Counting(tiny)
    with pytest.raises(BadAttack, match=reason):
        run(adversarial(draw(40, 40), tiny.spec, attack=attack, **given), network)
    assert network.forward == 0


def test_a_message_about_a_long_name_stays_short() -> None:
    with pytest.raises(BadAttack) as caught:
        attack_options("x" * 10_000, None, {})
    assert len(str(caught.value)) < 300


def test_options_are_told_with_their_defaults() -> None:
    norm, options = attack_options("pgd", "l2", {"steps": 7})
    assert (norm, options["norm"], options["epsilon"], options["steps"], options["seed"]) == ("l2", "l2", 3.0, 7, 0)
    assert attack_options("fgsm", None, {"epsilon": 1 / 255}) == ("linf", {"epsilon": 1 / 255})


def test_the_perturbation_by_hand(tiny: Classifier, draw: Draw) -> None:
    """Amplified until the largest change, +2 levels, is white; -1 then lies halfway to black, and no change is grey."""
    result = attacked(tiny, draw(40, 40), attack="fgsm")
    picture = result.origin.clone()
    picture[0, 0, 0] += 2
    picture[1, 3, 4] -= 1
    shown = dataclasses.replace(result, picture=picture).perturbation
    assert shown[0, 0, 0] == 255
    assert shown[1, 3, 4] == 64
    assert shown[2].unique().tolist() == [128]


def test_no_perturbation_is_grey(tiny: Classifier, draw: Draw) -> None:
    result = attacked(tiny, draw(40, 40), attack="fgsm")
    assert dataclasses.replace(result, picture=result.origin).perturbation.unique().tolist() == [128]
