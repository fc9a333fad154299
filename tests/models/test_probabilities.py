"""Tests the probabilities that logits stand for: of classes that exclude each other, and of labels that do not."""

import math

import pytest
import torch

from models.classifier import Classifier
from models.classify import Prediction, classify, rank
from models.probabilities import probabilities
from models.run import run, run_all
from models.spec import Spec
from tests.conftest import Draw
from tests.networks import LinearNetwork, unnormalised

CLASSES = Spec("squeezenet1_1", ("a", "b", "c"))
LABELS = Spec("squeezenet1_1", ("a", "b", "c"), multi_label=True)


def test_probabilities_of_classes_add_up_to_1() -> None:
    """Logits log 1, log 2 and log 5 give 1/8, 2/8 and 5/8, in any number of dimensions before the last one."""
    logits = torch.tensor([1.0, 2.0, 5.0]).log()
    expected = torch.tensor([0.125, 0.25, 0.625])
    torch.testing.assert_close(probabilities(logits, CLASSES), expected)
    torch.testing.assert_close(probabilities(logits.expand(2, 4, 3), CLASSES), expected.expand(2, 4, 3))


def test_each_label_has_a_probability_of_its_own() -> None:
    """A logit of log(p / (1 - p)) is that of p, whatever the others are."""
    expected = torch.tensor([0.1, 0.5, 0.9])
    logits = torch.tensor([math.log(p / (1 - p)) for p in (0.1, 0.5, 0.9)])
    torch.testing.assert_close(probabilities(logits, LABELS), expected)
    torch.testing.assert_close(probabilities(logits[2:], Spec("x", ("c",), multi_label=True)), expected[2:])


def test_labels_are_ranked_by_their_sigmoids() -> None:
    logits = torch.tensor([math.log(0.2 / 0.8), math.log(0.9 / 0.1), math.log(0.6 / 0.4)])
    predictions = rank(logits, LABELS)
    assert [(prediction.label, prediction.index) for prediction in predictions] == [("b", 1), ("c", 2), ("a", 0)]
    assert [prediction.probability for prediction in predictions] == pytest.approx([0.9, 0.6, 0.2])
    assert [prediction.label for prediction in rank(logits, LABELS, top=2)] == ["b", "c"]


def test_labels_whose_probabilities_round_to_1_are_ranked_by_their_logits() -> None:
    """In float32 the sigmoids of 20, 40 and 30 are all 1; the label that an attack aims at has the largest logit."""
    predictions = rank(torch.tensor([20.0, 40.0, 30.0]), LABELS)
    assert [(prediction.label, prediction.probability) for prediction in predictions] == [("b", 1), ("c", 1), ("a", 1)]


def test_a_label_alone() -> None:
    assert rank(torch.zeros(1), Spec("x", ("only",), multi_label=True)) == [Prediction("only", 0, 0.5)]


def test_classifying_gives_the_probabilities_of_labels(draw: Draw) -> None:
    """Those of a linear network by hand; the same network with classes gives a softmax of the same logits."""
    network, picture = LinearNetwork(3, 16), draw(16, 16)
    with torch.no_grad():
        logits = network(picture.unsqueeze(0) / 255)[0]
    for multi_label, expected in ((True, logits.sigmoid()), (False, logits.softmax(dim=0))):
        classifier = Classifier(network, unnormalised(3, 16, multi_label=multi_label))
        predictions = run(classify(picture, classifier.spec), classifier)
        assert {prediction.index: prediction.probability for prediction in predictions} == {
            index: pytest.approx(probability, abs=1e-6) for index, probability in enumerate(expected.tolist())
        }
        torch.testing.assert_close(classifier.probabilities(picture.unsqueeze(0) / 255)[0], expected)


def test_a_shared_batch_gives_each_picture_its_own_probabilities(draw: Draw) -> None:
    classifier = Classifier(LinearNetwork(3, 16), unnormalised(3, 16, multi_label=True))
    pictures = [draw(16, 16, seed) for seed in range(4)]
    together = dict(run_all([classify(picture, classifier.spec) for picture in pictures], classifier))
    for number, picture in enumerate(pictures):
        for alone, shared in zip(run(classify(picture, classifier.spec), classifier), together[number], strict=True):
            assert (shared.index, shared.probability) == (alone.index, pytest.approx(alone.probability, abs=1e-6))
