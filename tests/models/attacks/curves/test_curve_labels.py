"""Tests the curve of a picture for networks of several labels per picture, which is about one label."""

import math

import pytest
import torch
from torch import Tensor

from models.attacks.curves.curve import Curve, curve
from models.attacks.geometry import NORMS
from models.attacks.one_label import NoLabel
from models.attacks.task import AlreadyTarget
from models.classifier import Classifier
from models.query import Progress
from models.run import run
from tests.conftest import Draw
from tests.kinds_of_networks import LABELS, labelling
from tests.networks import Counting

LOGITS = (1.0, -1.2, 0.5)
"""The network finds `person` (0) and `traffic light` (2) in the picture, and not `bicycle` (1)."""


@pytest.fixture(scope="module")
def picture(draw: Draw) -> Tensor:
    return draw(16, 16)


@pytest.fixture(scope="module")
def labels(picture: Tensor) -> Classifier:
    return labelling(picture, LOGITS)


@pytest.fixture(scope="module", params=[None, 1])
def target(request: pytest.FixtureRequest) -> int | None:
    index: int | None = request.param
    return index


@pytest.fixture(scope="module")
def drawn(labels: Classifier, picture: Tensor, target: int | None) -> Curve:
    return run(curve(picture, labels.spec, target=target, norms=["l2", "linf"], norm="l2", steps=20), labels)


def test_all_predictions_are_of_the_label(labels: Classifier, drawn: Curve, target: int | None) -> None:
    """With its own name and index, and its sigmoid: that of LOGITS before the attack, and beyond one half after it."""
    index = 0 if target is None else target
    before = 1 / (1 + math.exp(-LOGITS[index]))
    assert (drawn.original.label, drawn.original.index) == (LABELS[index], index)
    assert drawn.original.probability == pytest.approx(before, abs=1e-5)
    assert (drawn.target is None) == (target is None)
    if drawn.target is not None:
        assert (drawn.target.label, drawn.target.index) == (LABELS[index], index)
        assert drawn.target.probability == pytest.approx(before, abs=1e-5)
    for known in drawn.smallest.values():
        (probability,) = labels.probabilities(known.picture.unsqueeze(0) / 255)[:, index].tolist()
        assert (known.adversarial.label, known.adversarial.index) == (LABELS[index], index)
        assert known.adversarial.probability == pytest.approx(probability, abs=1e-5)
        assert probability < 0.5 if target is None else probability > 0.5


def test_the_smallest_change_is_the_distance_to_the_border(
    labels: Classifier, drawn: Curve, target: int | None
) -> None:
    """In L2 it is |z| / ||w|| of the label. In Linf it is |z| over the sum of absolute weights, in whole levels."""
    index = 0 if target is None else target
    weight = labels.network[1].weight[index]
    assert drawn.smallest["l2"].success and drawn.smallest["linf"].success
    assert drawn.smallest["l2"].norms["l2"] == pytest.approx(abs(LOGITS[index]) / weight.norm().item(), rel=0.05)
    levels = math.ceil(255 * abs(LOGITS[index]) / weight.abs().sum().item())
    assert round(255 * drawn.smallest["linf"].norms["linf"]) in (levels, levels + 1)


def test_the_goal_of_a_point_is_the_label_or_its_absence(drawn: Curve, target: int | None) -> None:
    """`original` and `goal` of a point always add up to 1: they are of two classes, the label and not the label."""
    first, *_, last = drawn.points
    assert (first.epsilon, first.success, first.attack) == (0.0, False, None) and last.success and last.goal > 0.5
    for point in drawn.points:
        assert point.original + point.goal == pytest.approx(1, abs=1e-5)
        assert point.success == (point.epsilon >= drawn.smallest["l2"].norms["l2"])


def test_reported_passes_are_those_that_the_network_counted(labels: Classifier, picture: Tensor) -> None:
    network = Counting(labels)
    result = run(curve(picture, labels.spec, norms=["l2"], norm="l2", steps=3), network)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)


def test_progress_reaches_the_end(labels: Classifier, picture: Tensor) -> None:
    reports: list[Progress] = []
    run(curve(picture, labels.spec, norms=["l2"], norm="l2", steps=3), labels, reports.append)
    steps = [report.step for report in reports]
    assert steps == sorted(steps) and steps[-1] <= 100 and reports[-1].success


def test_in_all_norms_labels_can_be_removed(labels: Classifier, picture: Tensor) -> None:
    result = run(curve(picture, labels.spec, steps=30), labels)
    assert list(result.smallest) == list(NORMS)
    assert all(known.success for known in result.smallest.values())


def test_nothing_to_remove_and_nothing_to_add_are_refused(labels: Classifier, picture: Tensor) -> None:
    absent = labelling(picture, (-1.0, -0.5))
    with pytest.raises(NoLabel, match="name a target"):
        run(curve(picture, absent.spec), absent)
    with pytest.raises(AlreadyTarget, match="'traffic light': choose another target"):
        run(curve(picture, labels.spec, target=2), labels)
    grey = torch.full((3, 16, 16), 128, dtype=torch.uint8)
    alone = labelling(grey, (0.2,))
    assert run(curve(grey, alone.spec, norms=["l2"], norm="l2", steps=10), alone).smallest["l2"].success
