"""The classes nearest to a picture: a linear model's distances are known."""

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
"""Of each class's weight. All are orthogonal, so on the way to a class no third one's logit changes."""


@pytest.fixture(scope="module")
def five() -> Classifier:
    """Five classes, of which a grey picture has the logits LOGITS; each looks at a fifth of the values."""
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
    """To the border with class 0, straight along the difference of the weights: (z_0 - z_k) / |w_0 - w_k|."""
    return (LOGITS[0] - LOGITS[index]) / math.hypot(LENGTHS[0], LENGTHS[index])


@pytest.mark.parametrize(("height", "width"), [(16, 16), (40, 23), (100, 100)])
def test_distances_are_those_to_the_borders(five: Classifier, height: int, width: int) -> None:
    """Within DeepFool's overshoot of 2 %, at the model's resolution whatever the picture's; nearest first."""
    near = run(suggest_targets(grey(height, width), five.spec), five)
    assert near.original.index == 0
    assert [near_class.index for near_class in near.nearest] == sorted(range(1, 5), key=distance) == [3, 1, 2, 4]
    for near_class in near.nearest:
        assert near_class.distance == pytest.approx(1.02 * distance(near_class.index), rel=0.005)
        assert near_class.label == f"class {near_class.index}"


def test_probabilities_are_classifys(tiny: Classifier, draw: Draw) -> None:
    """Of a picture of another size, for every class there is."""
    reports = run(classify(draw(60, 41), tiny.spec), tiny)
    near = run(suggest_targets(draw(60, 41), tiny.spec), tiny)
    assert near.original == reports[0]
    assert {near_class.index: near_class.probability for near_class in near.nearest} == {
        report.index: report.probability for report in reports[1:]
    }
    assert [near_class.distance for near_class in near.nearest] == sorted(
        near_class.distance for near_class in near.nearest
    )


def test_only_the_candidates_are_measured_and_the_top_told(five: Classifier) -> None:
    """The most probable are 1, 2, 3, 4 in this order, and the nearest 3, 1, 2, 4."""

    def indices(**options: int) -> list[int]:
        near: NearClasses = run(suggest_targets(grey(16, 16), five.spec, **options), five)
        return [near_class.index for near_class in near.nearest]

    assert indices(candidates=2) == [1, 2]
    assert indices(candidates=3) == [3, 1, 2]
    assert indices(top=1) == [3]
    assert indices(top=50, candidates=50) == [3, 1, 2, 4]
    assert indices(top=2, candidates=1) == [1]


@pytest.mark.parametrize(("candidates", "steps"), [(1, 1), (2, 3), (10, 20)])
def test_passes_are_what_the_network_counted(tiny: Classifier, draw: Draw, candidates: int, steps: int) -> None:
    """A look at the picture, then a row per candidate, with gradients, in each step, and without in the last look."""
    network = Counting(tiny)
    near = run(suggest_targets(draw(40, 40), tiny.spec, candidates=candidates, steps=steps), network)
    assert (near.passes.forward, near.passes.backward) == (network.forward, network.backward)
    rows = min(candidates, 3)
    assert rows <= network.backward <= rows * steps
    assert network.forward <= 1 + rows * (steps + 1)
    assert (network.forward - 1) % rows == 0


def test_a_class_without_a_way_is_infinitely_far() -> None:
    """A model that sees nothing says the same of all pictures; nothing but its probabilities is known."""
    network = LinearNetwork(3, 16)
    network.layer.weight.data.zero_()
    network.layer.bias.data.copy_(torch.tensor([2.0, 0.0, 1.0]))
    near = run(suggest_targets(grey(30, 30), unnormalised(3, 16)), Classifier(network, unnormalised(3, 16)))
    assert [(near_class.index, near_class.distance) for near_class in near.nearest] == [(2, math.inf), (1, math.inf)]


def test_of_two_classes_there_is_one_to_go_to(draw: Draw) -> None:
    network = LinearNetwork(2, 16)
    two = Classifier(network, unnormalised(2, 16))
    picture = draw(16, 16)
    (near,) = run(suggest_targets(picture, two.spec), two).nearest
    weight = network.layer.weight.detach()
    logits = two.logits(to_float(picture).unsqueeze(0))[0]
    assert near.index == logits.argmin()
    expected = (logits[0] - logits[1]).abs() / (weight[0] - weight[1]).norm()
    assert near.distance == pytest.approx(1.02 * expected.item(), rel=0.005)


def test_the_picture_of_the_models_own_size_is_as_far(tiny: Classifier, draw: Draw) -> None:
    """A photo and what the model sees of it, as far as 8 bits hold that."""
    picture = draw(200, 300)
    model_input = to_levels(preprocess(to_float(picture).unsqueeze(0), tiny.spec))[0]
    small = torch.nn.functional.pad(
        model_input, (2, 2, 2, 2)
    )  # the resize to 36 leaves it as it is, the crop takes this off
    near, again = (run(suggest_targets(levels, tiny.spec), tiny).nearest for levels in (picture, small))
    assert [near_class.index for near_class in near] == [near_class.index for near_class in again]
    for one, other in zip(near, again, strict=True):
        assert one.distance == pytest.approx(other.distance, rel=0.05)
