"""Auto: the known optimum of a linear model in every norm, and no larger a change than any attack that it runs."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import NORMS, Norm, to_lattice
from models.attacks.methods.auto import CHEAP, LEVELS
from models.attacks.objectives import SETTLED
from models.attacks.options import ATTACKS
from models.attacks.task import Adversarial, adversarial
from models.classifier import Classifier
from models.classify import classify
from models.preprocessing import to_levels
from models.query import Progress
from models.run import run
from tests.conftest import Draw
from tests.models.attacks.attacking import stop_at
from tests.models.attacks.float_attack import predicted_classes, run_float_attack
from tests.models.attacks.lattice_optimum import least_l2
from tests.models.attacks.minimal import TwoClasses, count_passes
from tests.networks import Counting, LinearNetwork, unnormalised


def files(two: TwoClasses) -> TwoClasses:
    """The same pictures as 8-bit files hold them, with the margins of these."""
    pictures = to_lattice(two.pictures)
    logits = two.classifier.logits(pictures)
    return replace(two, pictures=pictures, margin=(logits[:, 0] - logits[:, 1]).abs())


def attacked(classifier: Classifier | Counting, picture: Tensor, **options: Any) -> Adversarial:
    spec = classifier.classifier.spec if isinstance(classifier, Counting) else classifier.spec
    return run(adversarial(to_levels(picture), spec, attack="auto", **options), classifier)


def to_reach(gain: float, margin: float) -> int:
    """The fewest whole levels, of which each lowers the margin by `gain` / 255, that lose it and are settled."""
    return math.floor((margin + SETTLED) / gain * 255) + 1


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_on_a_linear_model_the_file_is_the_optimum(norm: Norm, targeted: bool) -> None:
    """Of whole levels. L2 to 1 %; Linf and L1 exactly: as many levels as the margin needs of |w|_1, or of the largest
    |w| alone; L0 exactly: as many pixels as the margin needs of those of most gain.
    """
    two = files(TwoClasses.draw(2).nearer(0.1) if norm == "l1" else TwoClasses.draw(2))
    fewest = two.fewest_pixels().tolist()
    for row, (picture, label, margin) in enumerate(
        zip(two.pictures, two.labels.tolist(), two.margin.tolist(), strict=True)
    ):
        target = 1 - label if targeted else None
        result = attacked(two.classifier, picture, norm=norm, target=target, steps=30 if norm == "linf" else 100)
        assert result.success
        if norm == "l2":
            assert result.norms["l2"] <= 1.01 * least_l2(margin, two.weight)
            assert result.norms["l2"] >= margin / two.weight.norm().item()
        elif norm == "l0":
            assert result.norms["l0"] == fewest[row]
        else:
            gain = two.weight.abs().sum().item() if norm == "linf" else two.weight.abs().max().item()
            assert result.norms[norm] * 255 == pytest.approx(to_reach(gain, margin), abs=1e-6)


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_in_float_it_is_the_distance_to_the_border(norm: Norm) -> None:
    """|margin| over the gradient's dual norm, to 1 %."""
    two = TwoClasses.draw().nearer(0.1) if norm == "l1" else TwoClasses.draw()
    dual = two.weight.norm() if norm == "l2" else two.weight.abs().max()
    best = run_float_attack(ATTACKS["auto"], two.classifier, two.pictures, two.labels, norm=norm)
    assert best.won.all()
    torch.testing.assert_close(best.size, two.margin / dual, rtol=0.01, atol=1e-5)


def test_in_a_batch_each_row_has_its_own_fewest_levels() -> None:
    """Rows of one to six levels, which are bisected from different powers of two."""
    two = TwoClasses.draw(4)
    pictures = to_lattice(torch.cat([two.nearer(share).pictures for share in (0.1, 0.5, 1.0)]))
    logits = two.classifier.logits(pictures)
    fewest = ((logits[:, 0] - logits[:, 1]).abs() / two.weight.abs().sum() * 255).ceil()
    assert set(fewest.tolist()) >= {1.0, 3.0, 5.0, 6.0}
    best = run_float_attack(ATTACKS["auto"], two.classifier, pictures, logits.argmax(dim=1), norm="linf")
    assert torch.equal((best.size * 255 - 1e-3).ceil(), fewest)
    assert (predicted_classes(two.classifier, to_lattice(best.pictures)) != logits.argmax(dim=1)).all(), (
        "rounded it wins too"
    )


def test_a_row_that_no_level_fools_keeps_no_other_from_its_fewest() -> None:
    """The second is as much of its class as can be; the first's three levels are found all the same."""
    two = files(TwoClasses.draw(2).nearer(0.5))
    uphill = torch.where(two.labels[1] == 0, 1.0, -1.0) * two.weight.reshape(3, 16, 16)
    far = torch.stack([two.pictures[0], (uphill > 0).float()])
    best = run_float_attack(ATTACKS["auto"], two.classifier, far, two.labels, norm="linf", steps=8)
    fewest = math.ceil(two.margin[0].item() / two.weight.abs().sum().item() * 255)
    assert best.won.tolist() == [True, False]
    assert math.ceil(best.size[0].item() * 255 - 1e-3) == fewest == 3


PARTS: dict[Norm, list[tuple[str, int]]] = {
    "l2": [("ddn", CHEAP), ("ddn", 20), ("fmn", 20)],
    "l1": [("fmn", 20)],
    "l0": [("fmn", 20), ("sigma_zero", 60)],
}


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("norm", PARTS)
def test_it_is_no_larger_than_any_attack_that_it_runs(
    tiny: Classifier, small_pictures: Tensor, norm: Norm, targeted: bool
) -> None:
    """Every picture, to the last digit: each attack goes as it does alone, and the smallest is kept."""
    labels = predicted_classes(tiny, small_pictures)
    labels = (labels + 1) % 4 if targeted else labels
    run = {"targeted": targeted, "norm": norm}
    ours = run_float_attack(ATTACKS["auto"], tiny, small_pictures, labels, steps=20, **run)
    sizes = [
        run_float_attack(ATTACKS[attack], tiny, small_pictures, labels, steps=steps, **run).size
        for attack, steps in PARTS[norm]
    ]
    assert ours.won.any()
    assert torch.equal(ours.size, torch.stack(sizes).amin(dim=0))


@pytest.mark.parametrize("seed", range(3))
def test_in_linf_pgd_and_apgd_fail_with_one_level_less(tiny: Classifier, draw: Draw, seed: int) -> None:
    """What they find within a budget themselves, in files: nothing below the level that auto tells, or its halves."""
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
def test_passes_are_one_with_gradients_per_step(
    tiny: Classifier, small_pictures: Tensor, norm: Norm, expected: int
) -> None:
    assert count_passes("auto", tiny, small_pictures[:1], norm=norm, steps=30) == (expected, expected)


def test_where_nothing_wins_in_linf_all_levels_are_tried() -> None:
    """A model that sees nothing: seven levels with PGD and APGD, each with one pass more at its end; no bisection."""
    network = LinearNetwork(2, 16)
    network.layer.weight.data.zero_()
    blind = Classifier(network, unnormalised(2, 16))
    forward, backward = count_passes("auto", blind, torch.full((1, 3, 16, 16), 0.5), norm="linf", steps=12)
    assert backward == len(LEVELS) * (CHEAP + 12)
    assert forward == backward + 2 * len(LEVELS)


def test_in_linf_it_stops_once_one_level_wins() -> None:
    """One level is the fewest there is: PGD has not even taken all of its steps."""
    two = files(TwoClasses.draw(1).nearer(0.1))
    forward, backward = count_passes("auto", two.classifier, two.pictures, norm="linf", steps=100)
    assert forward == backward < CHEAP
    result = attacked(two.classifier, two.pictures[0], norm="linf")
    assert result.norms["linf"] == 1 / 255


@pytest.mark.parametrize("norm", NORMS)
def test_the_report_counts_every_pass(tiny: Classifier, draw: Draw, norm: Norm) -> None:
    network = Counting(tiny)
    result = run(adversarial(draw(44, 40), tiny.spec, attack="auto", norm=norm, steps=6), network)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)


@pytest.mark.parametrize("norm", NORMS)
def test_progress_counts_up_without_a_break(tiny: Classifier, draw: Draw, norm: Norm) -> None:
    """Through all attacks, of which several fail in Linf: never back, never twice, to the end at most."""
    reports: list[Progress] = []
    result = run(adversarial(draw(44, 40), tiny.spec, attack="auto", norm=norm, steps=12), tiny, reports.append)
    steps = [report.step for report in reports]
    assert result.success
    assert steps == sorted(set(steps))
    assert len({report.steps for report in reports}) == 1
    assert steps[-1] == reports[-1].steps if norm != "linf" else CHEAP + 12 < steps[-1] <= reports[-1].steps
    assert all(report.score() is not None and 0 <= report.score() <= 1 for report in reports)


@pytest.mark.parametrize("moment", [2, 3, 6, 11, 20, 27, 40])
@pytest.mark.parametrize("norm", NORMS)
def test_at_the_deadline_the_best_so_far_is_returned(tiny: Classifier, draw: Draw, norm: Norm, moment: int) -> None:
    """At whatever moment: verified, a change only where it helps, and what has won is small."""
    picture = draw(44, 40)
    result = stop_at(
        adversarial(picture, tiny.spec, attack="auto", norm=norm, steps=20, best_at_deadline=True), tiny, moment
    )
    again = run(classify(result.picture, tiny.spec, top=4), tiny)
    before = run(classify(picture, tiny.spec), tiny)[0]
    assert result.stopped
    assert again[0].index == result.adversarial.index
    assert result.success == (result.adversarial.index != before.index)
    left = next(prediction.probability for prediction in again if prediction.index == before.index)
    assert left <= before.probability + 1e-6
    if not result.success:
        assert left < before.probability or torch.equal(result.picture, picture)
