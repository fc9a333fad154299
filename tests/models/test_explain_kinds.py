"""Tests explanations and feature maps of networks of every kind of input and output."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.classifier import Classifier
from models.classify import rank
from models.explain import METHODS, Explanation, explain, heat
from models.feature_sheet import feature_sheet
from models.features import features
from models.layers import Layer
from models.overlay import overlay
from models.preprocessing import preprocess, to_float
from models.query import Query
from models.run import run
from tests.conftest import Draw
from tests.kinds_of_networks import Linear, convolutional, labelling, rectangular_spec
from tests.networks import Counting

SIZE = (24, 36)
KINDS: dict[str, dict[str, Any]] = {
    "rectangle": {},
    "upright": {"input_size": (40, 20), "resize": (44, 22)},
    "squash": {"resize_mode": "squash", "resize": (28, 40)},
    "pad": {"resize_mode": "pad", "padding": (0.2, 0.5, 0.9)},
    "BGRA": {"colours": "BGRA", "mean": (0.5,) * 4, "std": (0.5,) * 4},
    "background and probabilities": {"outputs": "probabilities", "background": True},
    "labels": {"multi_label": True},
}


@pytest.fixture(scope="module", params=KINDS)
def network(request: pytest.FixtureRequest) -> Classifier:
    return convolutional(rectangular_spec(SIZE, **KINDS[request.param]))


@pytest.fixture(scope="module")
def picture(draw: Draw) -> Tensor:
    return draw(50, 80)


def explanation(classifier: Classifier, picture: Tensor, method: str, **options: Any) -> Explanation:
    layer: Layer | None = classifier.layers.last_map if method == "grad_cam" else None
    return run(explain(picture, classifier.spec, method=method, layer=layer, **options), classifier)


@pytest.mark.parametrize("method", METHODS)
def test_the_heat_has_the_size_of_the_input_and_the_overlay_that_of_the_photo(
    network: Classifier, picture: Tensor, method: str
) -> None:
    """Grad-CAM's maps are those of the last layer, and the other attributions are of the input's pixels."""
    result = explanation(network, picture, method)
    assert result.heat.shape == network.spec.size
    assert result.heat.min() >= 0 and 0.5 < result.heat.max() <= 1
    if method == "grad_cam":
        assert result.layer is not None and result.layer.name == "5", "the average pool gives 2 x 3 values"
        assert result.attributions.shape == (1, 2, 3)
    else:
        assert result.attributions.shape == (3, *network.spec.size)
    if result.missing is not None:
        assert result.missing < 0.2
    assert overlay(picture, result.heat, network.spec).shape == (3, 50, 80)


@pytest.mark.parametrize("target", [None, 2])
def test_probabilities_are_those_of_classify(network: Classifier, picture: Tensor, target: int | None) -> None:
    """Of the most probable class or label, and of the target; a sigmoid where each label has its own probability."""
    (answer,) = network.answer([Query(preprocess(to_float(picture).unsqueeze(0), network.spec))])
    ranked = rank(answer.logits[0], network.spec)
    counting = Counting(network)
    layer = network.layers.last_map
    result = run(explain(picture, network.spec, target=target, method="grad_cam", layer=layer), counting)
    assert result.top == ranked[0]
    (expected,) = [
        prediction for prediction in ranked if prediction.index == (ranked[0].index if target is None else target)
    ]
    assert result.target == expected
    assert (result.passes.forward, result.passes.backward) == (counting.forward, counting.backward)


def test_integrated_gradients_of_a_linear_label_are_exact(draw: Draw) -> None:
    """weight x pixel for each pixel of the label's own weights, whatever the other labels are."""
    picture = draw(*SIZE)
    classifier = labelling(picture, (0.5, -1.0, 0.2), SIZE)
    result = explanation(classifier, picture, "integrated_gradients", target=1, steps=4)
    expected = classifier.network[1].weight[1] * to_float(picture)
    torch.testing.assert_close(result.attributions, expected, rtol=1e-4, atol=1e-6)
    assert result.missing is not None and result.missing < 1e-3
    assert result.top.index == 0 and result.target.probability == pytest.approx(0.26894142, abs=1e-5)


def test_heat_of_pixels_and_of_maps_lies_where_the_attributions_are() -> None:
    """A spot in the lower right quarter of pixels, and one hot value of 2 x 3 there."""
    pixels = torch.zeros(3, *SIZE)
    pixels[:, 16:20, 28:32] = 1
    maps = torch.zeros(1, 2, 3)
    maps[0, 1, 2] = 1
    for attributions in (pixels, maps):
        drawn = heat(attributions, SIZE)
        assert drawn.shape == SIZE and drawn[16:20, 28:32].min() > 0.7
        assert drawn[:6].max() < 0.1 and drawn[:, :12].max() < 0.1


def test_attributions_of_as_many_maps_as_pixels_in_another_order_are_resized() -> None:
    """A map of 36 x 24 is not of the pixels of an input of 24 x 36."""
    assert heat(torch.ones(1, 36, 24), SIZE).shape == SIZE


def test_features_show_the_input_and_maps_of_its_proportions(network: Classifier, picture: Tensor) -> None:
    """A convolution with a stride of 2 has maps of half its height and width; the sheet names them."""
    height, width = network.spec.size
    layer = network.layers.find("0")
    result = run(features(picture, network.spec, layer, channels=5), network)
    assert (layer.height, layer.width) == (height // 2, width // 2)
    assert result.network_input.shape == (3, height, width) and result.maps.shape == (5, height // 2, width // 2)
    torch.testing.assert_close(
        to_float(result.network_input),
        preprocess(to_float(picture).unsqueeze(0), network.spec)[0],
        rtol=0,
        atol=0.51 / 255,
    )
    (answer,) = network.answer([Query(preprocess(to_float(picture).unsqueeze(0), network.spec))])
    assert result.prediction == rank(answer.logits[0], network.spec, top=1)[0]
    sheet = feature_sheet(result, "kinds")
    assert sheet.shape[0] == 3 and (sheet[:, 0] == 255).all()


def test_a_layer_of_probabilities_is_shown_as_it_is(picture: Tensor) -> None:
    """The last layer of the network itself, whose values are the probabilities before the background is left out."""
    classifier = convolutional(rectangular_spec(SIZE, outputs="probabilities", background=True))
    result = run(features(picture, classifier.spec, classifier.layers.find("8")), classifier)
    assert len(result.channels) == 4
    assert sum(channel.mean for channel in result.channels) == pytest.approx(1, abs=1e-5)


def test_a_linear_network_without_maps_has_no_layer_for_grad_cam() -> None:
    classifier = Classifier(Linear(3, SIZE), rectangular_spec(SIZE))
    assert classifier.layers.last_map is None and len(classifier.layers) == 0
