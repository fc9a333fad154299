"""Tests the feature maps of a layer: against hand-computed values and against Captum."""

import pytest
import torch
from torch import Tensor

from models.classifier import Classifier
from models.colour_map import coloured
from models.feature_sheet import feature_sheet
from models.features import Features, features, map_picture
from models.layers import UnknownLayer
from models.preprocessing import preprocess, to_float
from models.run import run
from models.store import Model
from tests.conftest import Draw
from tests.networks import Counting, TwoChannelNetwork, unnormalised


@pytest.fixture
def pool() -> Classifier:
    """Return a network of a convolution of two channels (mean colour, red - 0.5) and a ReLU."""
    return Classifier(TwoChannelNetwork(), unnormalised(2, 16))


def compute_features(classifier: Classifier, picture: Tensor, layer: str, **options: object) -> Features:
    return run(features(picture, classifier.spec, classifier.layers.find(layer), **options), classifier)


def test_the_strength_of_a_channel_is_its_mean_absolute_value(pool: Classifier) -> None:
    """For green at 153 of 255 the mean colour is 0.2 and red - 0.5 is -0.5, so the second channel is stronger."""
    picture = torch.zeros(3, 16, 16, dtype=torch.uint8)
    picture[1] = 153
    result = compute_features(pool, picture, "convolution")
    assert [channel.channel for channel in result.channels] == [1, 0]
    strong, weak = result.channels
    assert (strong.strength, strong.mean, strong.largest) == pytest.approx((0.5, -0.5, -0.5))
    assert (weak.strength, weak.mean, weak.largest) == pytest.approx((0.2, 0.2, 0.2))
    torch.testing.assert_close(result.maps, torch.stack([torch.full((16, 16), -0.5), torch.full((16, 16), 0.2)]))
    assert result.prediction.label == "class 0"


def test_channels_are_chosen_by_number_or_by_name(tiny: Classifier, draw: Draw) -> None:
    """A number gives that many of the strongest channels; a list gives its channels, in its order."""
    picture = draw(40, 60)
    result = compute_features(tiny, picture, "0", channels=3)
    assert result.shown == result.channels[:3] and result.maps.shape == (3, 16, 16)
    assert [channel.channel for channel in compute_features(tiny, picture, "0", channels=[7, 2, 7]).shown] == [7, 2, 7]
    assert len(compute_features(tiny, picture, "0", channels=100).shown) == 12
    with pytest.raises(UnknownLayer, match="0 to 11"):
        compute_features(tiny, picture, "0", channels=[12])


def test_channels_are_ordered_by_strength(tiny: Classifier, draw: Draw) -> None:
    strengths = [channel.strength for channel in compute_features(tiny, draw(50, 50), "3").channels]
    assert strengths == sorted(strengths, reverse=True) and len(strengths) == 16


def test_features_take_one_forward_pass(tiny: Classifier, draw: Draw) -> None:
    network = Counting(tiny)
    result = run(features(draw(30, 30), tiny.spec, tiny.layers.find("3")), network)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward) == (1, 0)


def test_maps_agree_with_captum(imagenet: Model, chelsea: Tensor) -> None:
    """Compares with Captum's LayerActivation for every kind of layer of MobileNetV2, to float tolerance."""
    attr = pytest.importorskip("captum.attr", reason="make oracles installs Captum")
    classifier = imagenet.classifier
    pixels = preprocess(to_float(chelsea).unsqueeze(0), imagenet.spec)
    for name in ("features.0.0", "features.2", "features.9.conv.1.2", "features.18", "classifier.1"):
        layer = classifier.network[1].get_submodule(name)
        expected = attr.LayerActivation(classifier.logits, layer).attribute(pixels)[0]
        result = compute_features(classifier, chelsea, name, channels=list(range(len(expected))))
        torch.testing.assert_close(result.maps.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


def test_a_map_is_scaled_by_itself() -> None:
    """From -3 to 5, the middle is 1, and its colour that of 0.5; the size is kept, and a constant map is dark."""
    middle = coloured(torch.tensor([[0.5]]), "viridis")[:, 0, 0].tolist()
    drawn = map_picture(torch.tensor([[-3.0, 1.0, 5.0], [5.0, 5.0, -3.0]]))
    assert drawn.shape == (3, 2, 3) and drawn.dtype == torch.uint8
    dark, bright = [68, 1, 84], [253, 231, 36]
    assert drawn.permute(1, 2, 0).tolist() == [[dark, middle, bright], [bright, bright, dark]]
    for value in (-2.0, 0.0, 7.5):
        assert map_picture(torch.full((2, 2), value)).permute(1, 2, 0).tolist() == [[dark] * 2] * 2


@pytest.mark.parametrize("channels", [1, 2, 3, 7, 16, 100])
def test_a_sheet_shows_every_channel(tiny: Classifier, draw: Draw, channels: int) -> None:
    """There are at least as many brightest and darkest pixels as channels, and the border of the sheet is white."""
    result = compute_features(tiny, draw(64, 48), "3", channels=channels)
    sheet = feature_sheet(result, "tiny")
    assert sheet.dtype == torch.uint8 and len(sheet) == 3
    for border in (sheet[:, 0], sheet[:, -1], sheet[..., 0], sheet[..., -1]):
        assert (border == 255).all()
    viridis_low, viridis_high = (68, 1, 84), (253, 231, 36)
    for colour in (viridis_low, viridis_high):  # each map is scaled to the whole range
        matching = (sheet == torch.tensor(colour, dtype=torch.uint8).reshape(3, 1, 1)).all(dim=0)
        assert matching.sum() >= min(channels, 16)


def test_a_layer_without_spatial_extent_is_shown_as_bars(tiny: Classifier, draw: Draw) -> None:
    """Also, dollar signs in the name of the model are not read as a formula. 500 pixels have the colour of the bars."""
    sheet = feature_sheet(compute_features(tiny, draw(64, 48), "7"), "ti$ny$")
    bars = (sheet == torch.tensor([31, 119, 180], dtype=torch.uint8).reshape(3, 1, 1)).all(dim=0)
    assert bars.sum() > 500
