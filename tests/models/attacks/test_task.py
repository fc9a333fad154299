"""The task behind /adversarial: what it says is true of the file that it hands out."""

import contextlib
import dataclasses
import io
import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from models.attacks.options import ATTACKS, BadAttack, attack_options
from models.attacks.survive import parse_survive
from models.attacks.task import Adversarial, AlreadyTarget, adversarial
from models.classifier import Classifier
from models.classify import classify
from models.pictures import decode, encode
from models.preprocessing import preprocess, to_float
from models.query import GRACE, Answer, DeadlineExceeded, Progress, Query, Task
from models.run import run
from models.store import Model
from tests.conftest import Draw
from tests.networks import Counting

EACH_ATTACK = [(name, norm) for name, attack in ATTACKS.items() for norm in attack.norms]
SIZES = [(36, 36), (97, 141), (500, 375), (33, 32), (1, 20)]
EACH = [pytest.param("fgsm", {}), pytest.param("pgd", {"steps": 12})]


def attacked(classifier: Classifier, picture: Tensor, **options: object) -> Adversarial:
    return run(adversarial(picture, classifier.spec, **options), classifier)


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
    found = attacked(tiny, picture, attack=attack, target=target, epsilon=16 / 255, **options)
    again = run(classify(decode(encode(found.picture)), tiny.spec), tiny)[0]
    assert found.picture.shape == picture.shape
    assert found.original == original
    assert found.adversarial.label == again.label
    assert found.adversarial.probability == pytest.approx(again.probability, abs=1e-5)
    if found.success:
        assert again.index == target if target is not None else again.index != original.index
    assert torch.equal(found.origin, picture)
    assert (found.picture.int() - picture.int()).abs().max() <= 16


def test_a_photo_at_its_own_size_fools_a_trained_network(imagenet: Model, chelsea: Tensor) -> None:
    """451 x 300 pixels, 4 levels of 255, ten steps: the cat is no cat any more, in the file."""
    found = attacked(imagenet.classifier, chelsea, epsilon=4 / 255, steps=10)
    assert found.success
    again = run(classify(decode(encode(found.picture)), imagenet.spec), imagenet.classifier)[0]
    assert again.index == found.adversarial.index != found.original.index
    assert found.norms["linf"] <= 4 / 255


def test_a_photo_becomes_what_is_asked_for(imagenet: Model, chelsea: Tensor) -> None:
    """Targeted: an ostrich (9), with most of the probability."""
    found = attacked(imagenet.classifier, chelsea, target=9, epsilon=8 / 255, steps=15)
    assert found.success
    assert found.target is not None
    assert found.adversarial == found.target
    assert found.adversarial.label == "ostrich"
    assert found.adversarial.probability > 0.5


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
        found = attacked(tiny, picture, attack=attack, epsilon=epsilon, **options)
        assert (found.picture.int() - picture.int()).abs().max() <= epsilon * 255 + 1e-3
        assert found.norms["linf"] <= epsilon + 1e-6


def test_the_same_seed_gives_the_same_bytes(tiny: Classifier, draw: Draw) -> None:
    one, again, other = (attacked(tiny, draw(50, 40), attack="pgd", steps=5, seed=seed).picture for seed in (3, 3, 4))
    assert encode(one) == encode(again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("attack", "norm"), EACH_ATTACK)
def test_passes_are_what_the_network_counted(tiny: Classifier, draw: Draw, attack: str, norm: str) -> None:
    """Row by row, of every attack with its search on the lattice."""
    network = Counting(tiny)
    found = run(adversarial(draw(50, 40), tiny.spec, attack=attack, norm=norm, **few(attack)), network)
    assert (found.passes.forward, found.passes.backward) == (network.forward, network.backward)


@pytest.mark.parametrize(("attack", "options", "passes"), [("fgsm", {}, (4, 1)), ("pgd", {"steps": 12}, (15, 12))])
def test_passes_by_hand(
    tiny: Classifier, draw: Draw, attack: str, options: dict[str, int], passes: tuple[int, int]
) -> None:
    """A look at the original, one with gradients a step, one at the end, one at the file."""
    found = attacked(tiny, draw(50, 40), attack=attack, epsilon=0.2, **options)
    assert (found.passes.forward, found.passes.backward) == passes


@pytest.mark.parametrize(("attack", "options"), EACH)
def test_progress_counts_up_to_the_end(tiny: Classifier, draw: Draw, attack: str, options: dict[str, int]) -> None:
    """Every step once, with a score that is a probability and a picture in [0, 1]; the score never falls."""
    told: list[Progress] = []
    run(adversarial(draw(50, 40), tiny.spec, attack=attack, **options), tiny, told.append)
    steps = options.get("steps", 1)
    assert [(each.step, each.steps) for each in told] == [(step + 1, steps) for step in range(steps)]
    scores = [each.score() for each in told]
    assert all(score is not None and 0 <= score <= 1 for score in scores)
    assert scores == sorted(scores)
    assert all(each.render() is not None and each.render().min() >= 0 and each.render().max() <= 1 for each in told)


def test_as_a_jpeg_the_figures_are_of_what_it_shows(tiny: Classifier, draw: Draw) -> None:
    """`to_encode`, written as JPEG and read again, is `picture`, whose verdict and norms are told."""
    picture, network = draw(60, 50), Counting(tiny)
    task = adversarial(picture, tiny.spec, attack="ddn", steps=20, jpeg=80)
    found = run(task, network)
    read = decode(encode(found.to_encode, format="jpeg", quality=80))
    assert torch.equal(found.picture, read) and not torch.equal(found.picture, found.to_encode)
    again = run(classify(read, tiny.spec), tiny)[0]
    assert found.success and found.adversarial.label == again.label != found.original.label
    assert found.adversarial.probability == pytest.approx(again.probability, abs=1e-5)
    assert found.norms["l2"] == pytest.approx((read.double() - picture.double()).norm().item() / 255)
    assert found.survive == ("jpeg:80",)
    assert (found.passes.forward, found.passes.backward) == (network.forward, network.backward)


def test_a_jpeg_is_to_survive_as_it_is_sent(tiny: Classifier, draw: Draw) -> None:
    """Success with `resize` or another JPEG is that of the file that is returned, resized or written anew."""
    picture, won = draw(60, 50), 0
    for survive in ("resize:0.5", "jpeg:90"):
        found = attacked(tiny, picture, attack="ddn", steps=30, jpeg=50, survive=parse_survive(survive))
        read = decode(encode(found.to_encode, format="jpeg", quality=50))
        (named,) = parse_survive(survive)
        seen = [tiny.logits(preprocess(view(to_float(read).unsqueeze(0)), tiny.spec)).argmax() for view in named.real]
        assert found.survive == ("jpeg:50", survive)
        if found.success:
            assert all(index != found.original.index for index in seen)
            won += 1
    assert won


def test_what_the_jpeg_alone_does_counts(tiny: Classifier, draw: Draw) -> None:
    """Whatever quality 1 makes of a picture: success says whether the file's class is another."""
    for seed in range(12):
        found = attacked(tiny, draw(40, 40, seed=seed), attack="fgsm", epsilon=1 / 255, jpeg=1)
        assert found.success == (found.adversarial.index != found.original.index)


def stop_at(
    task: Task[Adversarial], classifier: Classifier, moment: int, known: Sequence[Answer | None] = ()
) -> Adversarial:
    """Drive the task, and at its `moment`-th yield throw the deadline into it; `known` are the first answers."""
    answer = None
    try:
        for place in range(moment):
            said = task.send(answer)
            if place < len(known):
                answer = known[place]
            else:
                answer = classifier.answer([said])[0] if isinstance(said, Query) else None
        said = task.throw(DeadlineExceeded("time is up"))
        for _ in range(GRACE):
            assert isinstance(said, Query), "no more steps are taken"
            said = task.send(classifier.answer([said])[0])
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a task may not go on asking for ever after its deadline")


def few(attack: str) -> dict[str, int]:
    """Few steps of each attack, and no more searches or samples than it takes to have some."""
    fewest = {"steps": 6, "searches": 2, "samples": 2}
    return {name: value for name, value in fewest.items() if name in ATTACKS[attack].defaults}


@pytest.mark.parametrize("attack", ATTACKS)
def test_at_the_deadline_the_best_so_far_is_returned(tiny: Classifier, draw: Draw, attack: str) -> None:
    """At whatever moment it comes: a whole report, no worse than the original, verified like any other.

    A picture that had won stays one that wins; each moment is a yield of the task, queries of the last search included.
    """
    picture = draw(60, 50)
    before = run(classify(picture, tiny.spec), tiny)[0]
    known: list[Answer | None] = []
    undisturbed = adversarial(picture, tiny.spec, attack=attack, best_at_deadline=True, **few(attack))
    with contextlib.suppress(StopIteration):
        said = next(undisturbed)
        while True:
            known.append(tiny.answer([said])[0] if isinstance(said, Query) else None)
            said = undisturbed.send(known[-1])
    moments = range(2, len(known) + 1)
    for moment in moments if len(moments) < 40 else moments[:: len(moments) // 40]:
        task = adversarial(picture, tiny.spec, attack=attack, best_at_deadline=True, **few(attack))
        found = stop_at(task, tiny, moment, known[: moment - 1])
        assert found.stopped
        assert (found.patch is not None) == (attack == "patch")
        again = run(classify(found.picture, tiny.spec), tiny)[0]
        assert (again.index, again.label) == (found.adversarial.index, found.adversarial.label)
        assert found.success == (again.index != before.index)
        assert found.original_after.probability <= before.probability + 1e-5


@pytest.mark.parametrize("attack", ["fgsm", "ddn"])
def test_a_jpeg_at_the_deadline_is_verified_too(tiny: Classifier, draw: Draw, attack: str) -> None:
    """From the second yield on, whenever it comes: a report that is true of the JPEG, which is to outlive resizing."""
    picture, survive = draw(60, 50), parse_survive("resize:0.5")
    before = run(classify(picture, tiny.spec), tiny)[0]
    for moment in range(2, 6):
        options = {"attack": attack, "jpeg": 80, "survive": survive, "best_at_deadline": True, **few(attack)}
        found = stop_at(adversarial(picture, tiny.spec, **options), tiny, moment)
        assert found.stopped
        again = run(classify(decode(encode(found.to_encode, format="jpeg", quality=80)), tiny.spec), tiny)[0]
        if moment > 2:  # at the second, nobody has looked at a JPEG yet
            assert again.index == found.adversarial.index
        assert not found.success or again.index != before.index


@pytest.mark.parametrize("moment", range(1, 15))
def test_otherwise_the_deadline_is_an_error(tiny: Classifier, draw: Draw, moment: int) -> None:
    with pytest.raises(DeadlineExceeded, match="time is up"):
        stop_at(adversarial(draw(60, 50), tiny.spec, attack="pgd", steps=6), tiny, moment)


def test_before_the_first_answer_there_is_no_best(tiny: Classifier, draw: Draw) -> None:
    """Nothing is known of the picture yet, so nothing can be reported."""
    with pytest.raises(DeadlineExceeded):
        stop_at(adversarial(draw(60, 50), tiny.spec, best_at_deadline=True), tiny, 1)


def test_a_task_that_ends_in_time_is_not_stopped(tiny: Classifier, draw: Draw) -> None:
    assert not attacked(tiny, draw(60, 50), steps=2, best_at_deadline=True).stopped


def test_a_target_that_it_is_already(tiny: Classifier, draw: Draw) -> None:
    present = run(classify(draw(60, 50), tiny.spec), tiny)[0]
    with pytest.raises(AlreadyTarget, match=f"{present.label}.*choose another target"):
        attacked(tiny, draw(60, 50), target=present.index)


@pytest.mark.parametrize(
    ("attack", "given", "reason"),
    [
        ("nonsense", {}, "choose one of auto, fgsm,"),
        ("", {}, "there is no attack"),
        ("pgd", {"epsilon": math.nan}, "epsilon: a finite number"),
        ("pgd", {"epsilon": -8 / 255}, "epsilon is from 1/255"),
        ("pgd", {"epsilon": 0.0}, "epsilon is from 1/255"),
        ("pgd", {"epsilon": 0.9 / 255}, "epsilon is from 1/255"),
        ("pgd", {"epsilon": 2.0}, "epsilon is from 1/255"),
        ("pgd", {"epsilon": math.inf}, "epsilon: a finite number"),
        ("pgd", {"steps": 0}, "steps must be a whole number from 1 to 1000"),
        ("pgd", {"steps": -1}, "steps must be a whole number from 1 to 1000"),
        ("pgd", {"steps": 10**9}, "steps must be a whole number from 1 to 1000"),
        ("pgd", {"steps": 2.5}, "steps must be a whole number from 1 to 1000"),
        ("pgd", {"seed": 10**30}, "seed must be a whole number from 0"),
        ("pgd", {"seed": -1}, "seed must be a whole number from 0"),
        ("pgd", {"momentum": 1.0}, "pgd takes no momentum"),
        ("fgsm", {"steps": 3}, "fgsm takes no steps: its options are epsilon"),
        ("fgsm", {"epsilon": math.nan}, "epsilon: a finite number"),
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
    found = attacked(tiny, draw(40, 40), attack="fgsm")
    picture = found.origin.clone()
    picture[0, 0, 0] += 2
    picture[1, 3, 4] -= 1
    shown = dataclasses.replace(found, picture=picture).perturbation
    assert shown[0, 0, 0] == 255
    assert shown[1, 3, 4] == 64
    assert shown[2].unique().tolist() == [128]


def test_no_perturbation_is_grey(tiny: Classifier, draw: Draw) -> None:
    found = attacked(tiny, draw(40, 40), attack="fgsm")
    assert dataclasses.replace(found, picture=found.origin).perturbation.unique().tolist() == [128]


def test_it_survives_other_exact_files_too(imagenet: Model, chelsea: Tensor) -> None:
    """Lossless WebP, and a PNG written anew by other software."""
    found = attacked(imagenet.classifier, chelsea, epsilon=4 / 255, steps=6)
    rewritten = io.BytesIO()
    Image.open(io.BytesIO(encode(found.picture))).save(rewritten, "PNG", optimize=True)
    for data in (encode(found.picture, format="webp"), rewritten.getvalue()):
        assert run(classify(decode(data), imagenet.spec), imagenet.classifier)[0].index == found.adversarial.index
