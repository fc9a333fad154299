"""Tests the attack `auto`: the optimum of a linear model, and changes no larger than those of the attacks it runs."""

import math
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from models.attacks.geometry import NORMS, Norm, to_lattice
from models.attacks.methods.auto import CHEAP, LEVELS, TARGETED_STEPS, TWO_CLASSES_STEPS
from models.attacks.objectives import SETTLED
from models.attacks.options import ATTACKS
from models.attacks.task import Adversarial, adversarial
from models.classifier import Classifier
from models.classify import classify
from models.effort import Effort
from models.preprocessing import to_levels
from models.query import Progress
from models.run import run
from tests.conftest import Draw
from tests.models.attacks.attacking import stop_at
from tests.models.attacks.float_attack import predicted_classes, run_float_attack
from tests.models.attacks.lattice_optimum import least_l2
from tests.models.attacks.minimal import TwoClasses, count_passes
from tests.networks import Counting, LinearNetwork, unnormalised


def on_lattice(two: TwoClasses) -> TwoClasses:
    """Return the same problem with pictures rounded to levels, and the margins of those."""
    pictures = to_lattice(two.pictures)
    logits = two.classifier.logits(pictures)
    return replace(two, pictures=pictures, margin=(logits[:, 0] - logits[:, 1]).abs())


def run_attack(classifier: Classifier | Counting, picture: Tensor, **options: Any) -> Adversarial:
    spec = classifier.classifier.spec if isinstance(classifier, Counting) else classifier.spec
    return run(adversarial(to_levels(picture), spec, attack="auto", **options), classifier)


def fewest_levels(gain: float, margin: float) -> int:
    """Return the fewest levels that make the margin negative by SETTLED, if a level lowers it by gain / 255."""
    return math.floor((margin + SETTLED) / gain * 255) + 1


@pytest.mark.parametrize("targeted", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("norm", NORMS)
def test_on_a_linear_model_the_result_is_the_optimum_of_the_lattice(norm: Norm, targeted: bool) -> None:
    """In L2 the result is within 1 % of the optimum. In Linf, L1 and L0 it equals it: the levels that the margin needs
    at a gain of |w|_1 or of the largest |w|, and the pixels that it needs in the order of their gain.
    """
    problem = on_lattice(TwoClasses.draw(2).nearer(0.1) if norm == "l1" else TwoClasses.draw(2))
    fewest = problem.fewest_pixels().tolist()
    for row, (picture, label, margin) in enumerate(
        zip(problem.pictures, problem.labels.tolist(), problem.margin.tolist(), strict=True)
    ):
        target = 1 - label if targeted else None
        steps = 30 if norm == "linf" else 100
        result = run_attack(problem.classifier, picture, norm=norm, target=target, effort="thorough", steps=steps)
        assert result.success
        if norm == "l2":
            assert result.norms["l2"] <= 1.01 * least_l2(margin, problem.weight)
            assert result.norms["l2"] >= margin / problem.weight.norm().item()
        elif norm == "l0":
            assert result.norms["l0"] == fewest[row]
        else:
            gain = problem.weight.abs().sum().item() if norm == "linf" else problem.weight.abs().max().item()
            assert result.norms[norm] * 255 == pytest.approx(fewest_levels(gain, margin), abs=1e-6)


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_the_float_attack_finds_the_distance_to_the_border(norm: Norm) -> None:
    """The distance is |margin| over the dual norm of the gradient; it is found within 1 %."""
    problem = TwoClasses.draw().nearer(0.1) if norm == "l1" else TwoClasses.draw()
    dual = problem.weight.norm() if norm == "l2" else problem.weight.abs().max()
    best = run_float_attack(
        ATTACKS["auto"], problem.classifier, problem.pictures, problem.labels, norm=norm, effort="thorough"
    )
    assert best.won.all()
    torch.testing.assert_close(best.size, problem.margin / dual, rtol=0.01, atol=1e-5)


def test_every_row_of_a_batch_has_its_own_fewest_levels() -> None:
    """The rows need one to six levels, so they are bisected between different powers of two."""
    problem = TwoClasses.draw(4)
    pictures = to_lattice(torch.cat([problem.nearer(share).pictures for share in (0.1, 0.5, 1.0)]))
    logits = problem.classifier.logits(pictures)
    fewest = ((logits[:, 0] - logits[:, 1]).abs() / problem.weight.abs().sum() * 255).ceil()
    assert set(fewest.tolist()) >= {1.0, 3.0, 5.0, 6.0}
    best = run_float_attack(ATTACKS["auto"], problem.classifier, pictures, logits.argmax(dim=1), norm="linf")
    assert torch.equal((best.size * 255 - 1e-3).ceil(), fewest)
    assert (predicted_classes(problem.classifier, to_lattice(best.pictures)) != logits.argmax(dim=1)).all(), (
        "the rounded pictures win as well"
    )


def test_a_row_that_cannot_be_fooled_does_not_affect_the_others() -> None:
    """The second picture has the largest possible margin; for the first, the optimum of three levels is still found."""
    problem = on_lattice(TwoClasses.draw(2).nearer(0.5))
    uphill = torch.where(problem.labels[1] == 0, 1.0, -1.0) * problem.weight.reshape(3, 16, 16)
    far = torch.stack([problem.pictures[0], (uphill > 0).float()])
    best = run_float_attack(ATTACKS["auto"], problem.classifier, far, problem.labels, norm="linf", steps=8)
    fewest = math.ceil(problem.margin[0].item() / problem.weight.abs().sum().item() * 255)
    assert best.won.tolist() == [True, False]
    assert math.ceil(best.size[0].item() * 255 - 1e-3) == fewest == 3


@pytest.mark.parametrize("effort", ["quick", pytest.param("standard", marks=pytest.mark.slow)])
@pytest.mark.parametrize("targeted", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("norm", "excess"), [("l2", 1.01), ("linf", 1.0), ("l1", 1.1), ("l0", 1.4)])
def test_with_less_effort_the_result_is_near_the_optimum(
    norm: Norm, excess: float, targeted: bool, effort: Effort
) -> None:
    """The result is at most `excess` times the optimum of the linear model, in fewer passes."""
    problem = on_lattice(TwoClasses.draw(2).nearer(0.1) if norm == "l1" else TwoClasses.draw(2))
    for row, (picture, label) in enumerate(zip(problem.pictures, problem.labels.tolist(), strict=True)):
        options = {"norm": norm, "target": 1 - label if targeted else None}
        best = run_attack(problem.classifier, picture, effort="thorough", **options)
        result = run_attack(problem.classifier, picture, effort=effort, **options)
        assert result.success
        assert result.norms[norm] <= excess * best.norms[norm] + 1e-9, row
        if norm != "linf":
            assert result.passes.backward < best.passes.backward


def test_without_success_of_deepfool_ddn_begins_anew(tiny: Classifier, small_pictures: Tensor) -> None:
    """DeepFool may take no step at all, and DDN still finds a change."""
    labels = predicted_classes(tiny, small_pictures)
    with mock.patch.dict("models.attacks.methods.auto.DEEPFOOL_STEPS", quick=0):
        best = run_float_attack(ATTACKS["auto"], tiny, small_pictures, labels, steps=20, effort="quick")
    assert best.won.all()


def test_a_change_that_is_far_smaller_than_usual_is_found() -> None:
    """The boundary is a thousandth of the usual first length away, more than the steps could shorten it."""
    problem = TwoClasses.draw()
    distance = (problem.margin / problem.weight.norm()).max().item()
    problem = problem.nearer(0.001 / distance)
    best = run_float_attack(ATTACKS["auto"], problem.classifier, problem.pictures, problem.labels)
    assert (best.size / (problem.margin / problem.weight.norm()) <= 1.02).all()


class Odd(nn.Module):
    """A network of two classes whose logits are both exactly 0 for grey, and opposite for all other pictures."""

    def forward(self, pixels: Tensor) -> Tensor:
        difference = (pixels - 0.5).sum(dim=(1, 2, 3))
        return torch.stack([difference, -difference], dim=1)


def test_a_start_on_the_boundary_is_left() -> None:
    """Its distance from the boundary is 0, and a change of length 0 would never become longer."""
    grey, labels = torch.full((1, 3, 16, 16), 0.5), torch.tensor([0])
    best = run_float_attack(ATTACKS["auto"], Classifier(Odd(), unnormalised(2, 16)), grey, labels)
    assert best.won.all() and best.size < 0.01


def test_ddn_ends_once_less_than_one_percent_is_left_to_gain() -> None:
    """On a linear model that is known exactly: all rows end within 1 % of the distance, before the last step."""
    problem = TwoClasses.draw()
    best = run_float_attack(ATTACKS["auto"], problem.classifier, problem.pictures, problem.labels)
    excess = best.size / (problem.margin / problem.weight.norm()) - 1
    assert (excess >= -1e-3).all() and (excess <= 0.011).all()
    _, backward = count_passes("auto", problem.classifier, problem.pictures[:1])
    assert backward < TWO_CLASSES_STEPS["standard"]


@pytest.mark.parametrize("effort", ["quick", "standard"])
def test_towards_one_of_many_classes_few_steps_suffice(
    tiny: Classifier, small_pictures: Tensor, effort: Effort
) -> None:
    """Every picture is led to its target in the effort's steps, at 1.1 times thorough's size in the median."""
    targets = (predicted_classes(tiny, small_pictures) + 1) % 4
    best, thorough = (
        run_float_attack(ATTACKS["auto"], tiny, small_pictures, targets, targeted=True, effort=each)
        for each in (effort, "thorough")
    )
    assert best.won.all()
    assert (best.size / thorough.size).median() <= 1.1
    counting = Counting(tiny)
    run_float_attack(ATTACKS["auto"], counting, small_pictures[:1], targets[:1], targeted=True, effort=effort)
    assert counting.backward <= TARGETED_STEPS[effort]


PARTS: dict[Norm, list[tuple[str, int]]] = {
    "l2": [("ddn", CHEAP), ("ddn", 20), ("fmn", 20)],
    "l1": [("fmn", 20)],
    "l0": [("fmn", 20), ("sigma_zero", 60)],
}


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("norm", PARTS)
def test_the_change_is_the_smallest_of_the_attacks_it_runs(
    tiny: Classifier, small_pictures: Tensor, norm: Norm, targeted: bool
) -> None:
    """Every attack gives the same as alone, so the sizes equal the minimum exactly."""
    labels = predicted_classes(tiny, small_pictures)
    labels = (labels + 1) % 4 if targeted else labels
    options = {"targeted": targeted, "norm": norm}
    ours = run_float_attack(ATTACKS["auto"], tiny, small_pictures, labels, steps=20, effort="thorough", **options)
    sizes = [
        run_float_attack(ATTACKS[attack], tiny, small_pictures, labels, steps=steps, **options).size
        for attack, steps in PARTS[norm]
    ]
    assert ours.won.any()
    assert torch.equal(ours.size, torch.stack(sizes).amin(dim=0))


@pytest.mark.parametrize("seed", range(3))
def test_in_linf_pgd_and_apgd_fail_with_one_level_less(tiny: Classifier, draw: Draw, seed: int) -> None:
    """PGD and APGD are run at one level less than the Linf that auto reports, and neither succeeds."""
    picture = draw(40, 44, seed)
    result = run(adversarial(picture, tiny.spec, attack="auto", norm="linf", steps=15, seed=2), tiny)
    levels = round(result.norms["linf"] * 255)
    assert result.success and levels > 1
    for attack, steps in (("pgd", CHEAP), ("apgd", 15)):
        less = run(
            adversarial(picture, tiny.spec, attack=attack, epsilon=(levels - 1) / 255, steps=steps, seed=2), tiny
        )
        assert not less.success


@pytest.mark.parametrize(("norm", "expected"), [("l2", CHEAP + 2 * 30), ("l1", 30), ("l0", 4 * 30)])
def test_every_step_takes_one_pass_with_gradients(
    tiny: Classifier, small_pictures: Tensor, norm: Norm, expected: int
) -> None:
    assert count_passes("auto", tiny, small_pictures[:1], norm=norm, steps=30, effort="thorough") == (
        expected,
        expected,
    )


def test_without_success_all_linf_levels_are_tried() -> None:
    """All weights are zero: PGD and APGD try every level, each with one more pass at its end, without bisection."""
    network = LinearNetwork(2, 16)
    network.layer.weight.data.zero_()
    constant_model = Classifier(network, unnormalised(2, 16))
    forward, backward = count_passes("auto", constant_model, torch.full((1, 3, 16, 16), 0.5), norm="linf", steps=12)
    assert backward == len(LEVELS) * (CHEAP + 12)
    assert forward == backward + 2 * len(LEVELS)


def test_in_linf_auto_stops_when_one_level_wins() -> None:
    """One level is the least possible, so auto stops before PGD has taken all of its steps."""
    problem = on_lattice(TwoClasses.draw(1).nearer(0.1))
    forward, backward = count_passes("auto", problem.classifier, problem.pictures, norm="linf", steps=100)
    assert forward == backward < CHEAP
    result = run_attack(problem.classifier, problem.pictures[0], norm="linf")
    assert result.norms["linf"] == 1 / 255


@pytest.mark.parametrize("norm", NORMS)
def test_reported_passes_are_those_that_the_network_counted(tiny: Classifier, draw: Draw, norm: Norm) -> None:
    network = Counting(tiny)
    result = run(adversarial(draw(44, 40), tiny.spec, attack="auto", norm=norm, steps=6), network)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)


@pytest.mark.parametrize("norm", NORMS)
def test_progress_counts_up_through_all_attacks(tiny: Classifier, draw: Draw, norm: Norm) -> None:
    """Steps only rise, never repeat and never exceed the total, although several attacks fail in Linf."""
    reports: list[Progress] = []
    result = run(adversarial(draw(44, 40), tiny.spec, attack="auto", norm=norm, steps=12), tiny, reports.append)
    steps = [report.step for report in reports]
    assert result.success
    assert steps == sorted(set(steps))
    assert len({report.steps for report in reports}) == 1
    assert steps[-1] == reports[-1].steps if norm != "linf" else CHEAP + 12 < steps[-1] <= reports[-1].steps
    assert all(report.score() is not None and 0 <= report.score() <= 1 for report in reports)


@pytest.mark.parametrize("yields", [2, 3, 6, 11, 20, 27, 40])
@pytest.mark.parametrize("norm", NORMS)
def test_at_the_deadline_the_best_verified_result_is_returned(
    tiny: Classifier, draw: Draw, norm: Norm, yields: int
) -> None:
    """Whenever the deadline comes, the result is verified, and the picture is only changed if that helps."""
    picture = draw(44, 40)
    result = stop_at(
        adversarial(picture, tiny.spec, attack="auto", norm=norm, steps=20, best_at_deadline=True), tiny, yields
    )
    predictions = run(classify(result.picture, tiny.spec, top=4), tiny)
    before = run(classify(picture, tiny.spec), tiny)[0]
    assert result.stopped
    assert predictions[0].index == result.adversarial.index
    assert result.success == (result.adversarial.index != before.index)
    original_probability = next(
        prediction.probability for prediction in predictions if prediction.index == before.index
    )
    assert original_probability <= before.probability + 1e-6
    if not result.success:
        assert original_probability < before.probability or torch.equal(result.picture, picture)
