"""Tests finding the classes nearest to a picture, on linear models whose distances are known."""

import math

import pytest
import torch
from torch import Tensor

from models.attacks.targets import NearClasses, suggest_targets
from models.classifier import Classifier
from models.classify import classify
from models.preprocessing import preprocess, to_float, to_levels
from models.run import run
from tests.conftest import Draw
from tests.networks import Counting, LinearNetwork, unnormalised

LOGITS = (4.0, 1.5, 1.0, 0.5, 0.0)
LENGTHS = (1.0, 2.0, 1.0, 4.0, 0.9)
"""Length of the weight of every class; the weights are orthogonal, so moving between two classes changes no third."""


@pytest.fixture(scope="module")
def five_classes() -> Classifier:
    """Return a model of five classes that gives a grey picture LOGITS; every class reads a fifth of the values."""
    network = LinearNetwork(5, 16)
    weight = torch.zeros(5, 765 + 3)
    for index, length in enumerate(LENGTHS):
        weight[index, index * 153 : (index + 1) * 153] = length / math.sqrt(153)
    network.layer.weight.data.copy_(weight)
    network.layer.bias.data.copy_(torch.tensor(LOGITS) - weight.sum(dim=1) * 128 / 255)
    return Classifier(network, unnormalised(5, 16))


def grey(height: int, width: int) -> Tensor:
    return torch.full((3, height, width), 128, dtype=torch.uint8)


def distance(index: int) -> float:
    """Return the distance to the border with class 0: (z_0 - z_k) / |w_0 - w_k|."""
    return (LOGITS[0] - LOGITS[index]) / math.hypot(LENGTHS[0], LENGTHS[index])


@pytest.mark.parametrize(("height", "width"), [(16, 16), (40, 23), (100, 100)])
def test_distances_are_those_to_the_borders(five_classes: Classifier, height: int, width: int) -> None:
    """They include DeepFool's overshoot of 2 % and are measured at the input size; the nearest class comes first."""
    near = run(suggest_targets(grey(height, width), five_classes.spec), five_classes)
    assert near.original.index == 0
    assert [near_class.index for near_class in near.nearest] == sorted(range(1, 5), key=distance) == [3, 1, 2, 4]
    for near_class in near.nearest:
        assert near_class.distance == pytest.approx(1.02 * distance(near_class.index), rel=0.005)
        assert near_class.label == f"class {near_class.index}"


def test_probabilities_are_those_of_classify(tiny: Classifier, draw: Draw) -> None:
    """All classes are listed, for a picture of another size than the input."""
    predictions = run(classify(draw(60, 41), tiny.spec), tiny)
    near = run(suggest_targets(draw(60, 41), tiny.spec), tiny)
    assert near.original == predictions[0]
    assert {near_class.index: near_class.probability for near_class in near.nearest} == {
        prediction.index: prediction.probability for prediction in predictions[1:]
    }
    assert [near_class.distance for near_class in near.nearest] == sorted(
        near_class.distance for near_class in near.nearest
    )


def test_only_candidates_are_measured_and_the_top_returned(five_classes: Classifier) -> None:
    """By probability the order is 1, 2, 3, 4, and by distance 3, 1, 2, 4."""

    def indices(**options: int) -> list[int]:
        near: NearClasses = run(suggest_targets(grey(16, 16), five_classes.spec, **options), five_classes)
        return [near_class.index for near_class in near.nearest]

    assert indices(candidates=2) == [1, 2]
    assert indices(candidates=3) == [3, 1, 2]
    assert indices(top=1) == [3]
    assert indices(top=50, candidates=50) == [3, 1, 2, 4]
    assert indices(top=2, candidates=1) == [1]


@pytest.mark.parametrize(("candidates", "steps"), [(1, 1), (2, 3), (10, 20)])
def test_reported_passes_are_those_that_the_network_counted(
    tiny: Classifier, draw: Draw, candidates: int, steps: int
) -> None:
    """One pass for the picture, one with gradients per candidate and step, and one without per candidate at the end."""
    network = Counting(tiny)
    near = run(suggest_targets(draw(40, 40), tiny.spec, candidates=candidates, steps=steps), network)
    assert (near.passes.forward, near.passes.backward) == (network.forward, network.backward)
    rows = min(candidates, 3)
    assert rows <= network.backward <= rows * steps
    assert network.forward <= 1 + rows * (steps + 1)
    assert (network.forward - 1) % rows == 0


def test_without_gradients_all_classes_are_infinitely_far() -> None:
    """The weights are zero, so no change of the picture reaches another class."""
    network = LinearNetwork(3, 16)
    network.layer.weight.data.zero_()
    network.layer.bias.data.copy_(torch.tensor([2.0, 0.0, 1.0]))
    near = run(suggest_targets(grey(30, 30), unnormalised(3, 16)), Classifier(network, unnormalised(3, 16)))
    assert [(near_class.index, near_class.distance) for near_class in near.nearest] == [(2, math.inf), (1, math.inf)]


def test_with_two_classes_the_other_one_is_nearest(draw: Draw) -> None:
    network = LinearNetwork(2, 16)
    classifier = Classifier(network, unnormalised(2, 16))
    picture = draw(16, 16)
    (near,) = run(suggest_targets(picture, classifier.spec), classifier).nearest
    weight = network.layer.weight.detach()
    logits = classifier.logits(to_float(picture).unsqueeze(0))[0]
    assert near.index == logits.argmin()
    expected = (logits[0] - logits[1]).abs() / (weight[0] - weight[1]).norm()
    assert near.distance == pytest.approx(1.02 * expected.item(), rel=0.005)


def test_distances_do_not_depend_on_the_size_of_the_photo(tiny: Classifier, draw: Draw) -> None:
    """A photo and its preprocessed pixels, rounded to 8 bits, have nearly the same distances."""
    picture = draw(200, 300)
    model_input = to_levels(preprocess(to_float(picture).unsqueeze(0), tiny.spec))[0]
    small = torch.nn.functional.pad(
        model_input, (2, 2, 2, 2)
    )  # padded to 36 pixels, it is not resized, and the crop removes the padding
    near, near_of_input = (run(suggest_targets(levels, tiny.spec), tiny).nearest for levels in (picture, small))
    assert [near_class.index for near_class in near] == [near_class.index for near_class in near_of_input]
    for of_photo, of_input in zip(near, near_of_input, strict=True):
        assert of_photo.distance == pytest.approx(of_input.distance, rel=0.05)
