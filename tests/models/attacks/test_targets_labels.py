"""Tests which labels a network of several labels per picture is nearest to find."""

import math

import pytest
from torch import Tensor

from models.attacks.targets import suggest_targets
from models.classifier import Classifier
from models.classify import Prediction
from models.query import Progress
from models.run import run
from tests.conftest import Draw
from tests.kinds_of_networks import LABELS, labelling
from tests.networks import Counting

LOGITS = (1.0, -1.2, 0.5, -0.9)
"""The network finds `person` (0) and `traffic light` (2) in the picture, not `bicycle` (1) and `dog` (3)."""


@pytest.fixture(scope="module")
def picture(draw: Draw) -> Tensor:
    return draw(16, 16)


def distance(classifier: Classifier, index: int, logit: float) -> float:
    """|z| / ||w||, with DeepFool's overshoot of 2 %."""
    return 1.02 * abs(logit) / float(classifier.network[1].weight[index].norm())


def test_distances_are_those_to_where_a_label_is_found(picture: Tensor) -> None:
    """Of the two labels that are not found; `original` is the most probable label."""
    labels = labelling(picture, LOGITS)
    near = run(suggest_targets(picture, labels.spec), labels)
    assert (near.original.label, near.original.index) == ("person", 0)
    assert near.original.probability == pytest.approx(1 / (1 + math.exp(-1.0)), abs=1e-5)
    expected = {index: distance(labels, index, LOGITS[index]) for index in (1, 3)}
    assert [label.index for label in near.nearest] == sorted(expected, key=lambda index: expected[index])
    for label in near.nearest:
        assert label.label == LABELS[label.index]
        assert label.distance == pytest.approx(expected[label.index], rel=0.01)
        assert label.probability == pytest.approx(1 / (1 + math.exp(-LOGITS[label.index])), abs=1e-5)


def test_where_no_label_is_found_the_most_probable_one_is_a_candidate(picture: Tensor) -> None:
    labels = labelling(picture, (-0.2, -1.0, -2.0))
    near = run(suggest_targets(picture, labels.spec, candidates=2), labels)
    assert near.original == Prediction("person", 0, near.nearest[0].probability)
    assert [label.index for label in near.nearest] == [0, 1]
    alone = labelling(picture, (-0.2,))
    (only,) = run(suggest_targets(picture, alone.spec), alone).nearest
    assert only.distance == pytest.approx(distance(alone, 0, -0.2), rel=0.01)


def test_where_all_labels_are_found_there_is_no_target(picture: Tensor) -> None:
    labels = labelling(picture, (0.2, 1.0))
    near = run(suggest_targets(picture, labels.spec), labels)
    assert near.original.index == 1 and near.nearest == ()
    assert (near.passes.forward, near.passes.backward) == (1, 0)


def test_top_and_candidates_bound_the_labels(picture: Tensor) -> None:
    """By probability the order is 0, 1, 2, 3."""
    labels = labelling(picture, (-0.1, -0.2, -0.3, -0.4))
    near = run(suggest_targets(picture, labels.spec, candidates=3, top=2), labels)
    everything = run(suggest_targets(picture, labels.spec, candidates=3), labels)
    assert {label.index for label in everything.nearest} == {0, 1, 2} and near.nearest == everything.nearest[:2]


def test_passes_and_progress_are_those_of_all_labels(picture: Tensor) -> None:
    """The labels share batches: one pass before, at most `steps` with gradients for each, and one at the end."""
    labels = labelling(picture, LOGITS)
    network, reports = Counting(labels), list[Progress]()
    result = run(suggest_targets(picture, labels.spec, steps=4), network, reports.append)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)
    assert 2 <= network.backward <= 8 and reports and all(report.step <= report.steps for report in reports)
