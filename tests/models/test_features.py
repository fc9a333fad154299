"""What a layer makes of a picture: figures by hand and by Captum."""

import pytest
import torch
from torch import Tensor

from models.classifier import Classifier
from models.feature_sheet import feature_sheet
from models.features import Features, features
from models.layers import UnknownLayer
from models.preprocessing import preprocess, to_float
from models.run import run
from models.store import Model
from tests.conftest import Draw
from tests.networks import Counting, TwoChannelNetwork, unnormalised


@pytest.fixture
def pool() -> Classifier:
    """A convolution of two channels, the mean of colours and red minus a half, and a ReLU."""
    return Classifier(TwoChannelNetwork(), unnormalised(2, 16))


def shown(classifier: Classifier, picture: Tensor, layer: str, **options: object) -> Features:
    return run(features(picture, classifier.spec, classifier.layers.find(layer), **options), classifier)


def test_strength_by_hand(pool: Classifier) -> None:
    """Green at 153 of 255: the mean of colours is 0.2, red minus a half -0.5, which is the stronger one."""
    picture = torch.zeros(3, 16, 16, dtype=torch.uint8)
    picture[1] = 153
    found = shown(pool, picture, "convolution")
    assert [each.channel for each in found.channels] == [1, 0]
    strong, weak = found.channels
    assert (strong.strength, strong.mean, strong.largest) == pytest.approx((0.5, -0.5, -0.5))
    assert (weak.strength, weak.mean, weak.largest) == pytest.approx((0.2, 0.2, 0.2))
    torch.testing.assert_close(found.maps, torch.stack([torch.full((16, 16), -0.5), torch.full((16, 16), 0.2)]))
    assert found.prediction.label == "class 0"


def test_channels_of_ones_choice(tiny: Classifier, draw: Draw) -> None:
    """So many of the strongest, or those that are named, in the order named."""
    picture = draw(40, 60)
    found = shown(tiny, picture, "0", channels=3)
    assert found.shown == found.channels[:3] and found.maps.shape == (3, 16, 16)
    assert [each.channel for each in shown(tiny, picture, "0", channels=[7, 2, 7]).shown] == [7, 2, 7]
    assert len(shown(tiny, picture, "0", channels=100).shown) == 12
    with pytest.raises(UnknownLayer, match="0 to 11"):
        shown(tiny, picture, "0", channels=[12])


def test_strongest_first(tiny: Classifier, draw: Draw) -> None:
    strengths = [each.strength for each in shown(tiny, draw(50, 50), "3").channels]
    assert strengths == sorted(strengths, reverse=True) and len(strengths) == 16


def test_one_pass(tiny: Classifier, draw: Draw) -> None:
    network = Counting(tiny)
    found = run(features(draw(30, 30), tiny.spec, tiny.layers.find("3")), network)
    assert (found.passes.forward, found.passes.backward) == (network.forward, network.backward) == (1, 0)


def test_maps_are_captums(imagenet: Model, chelsea: Tensor) -> None:
    """LayerActivation, to float tolerance, of every kind of layer of MobileNetV2."""
    attr = pytest.importorskip("captum.attr", reason="make oracles installs Captum")
    classifier = imagenet.classifier
    pixels = preprocess(to_float(chelsea).unsqueeze(0), imagenet.spec)
    for name in ("features.0.0", "features.2", "features.9.conv.1.2", "features.18", "classifier.1"):
        layer = classifier.network[1].get_submodule(name)
        expected = attr.LayerActivation(classifier.logits, layer).attribute(pixels)[0]
        found = shown(classifier, chelsea, name, channels=list(range(len(expected))))
        torch.testing.assert_close(found.maps.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 7, 16, 100])
def test_a_sheet_has_room_for_all(tiny: Classifier, draw: Draw, channels: int) -> None:
    """As many bright maps as channels, each in a cell of its own, and a border of white all around."""
    found = shown(tiny, draw(64, 48), "3", channels=channels)
    sheet = feature_sheet(found, "tiny")
    assert sheet.dtype == torch.uint8 and len(sheet) == 3
    for border in (sheet[:, 0], sheet[:, -1], sheet[..., 0], sheet[..., -1]):
        assert (border == 255).all()
    viridis_low, viridis_high = (68, 1, 84), (253, 231, 36)
    for colour in (viridis_low, viridis_high):  # each map is scaled to the whole range
        found_there = (sheet == torch.tensor(colour, dtype=torch.uint8).reshape(3, 1, 1)).all(dim=0)
        assert found_there.sum() >= min(channels, 16)


def test_a_layer_of_single_pixels_is_bars(tiny: Classifier, draw: Draw) -> None:
    """A class with a dollar in its name is no formula, and a negative value goes the other way."""
    sheet = feature_sheet(shown(tiny, draw(64, 48), "7"), "ti$ny$")
    bars = (sheet == torch.tensor([31, 119, 180], dtype=torch.uint8).reshape(3, 1, 1)).all(dim=0)
    assert bars.sum() > 500
