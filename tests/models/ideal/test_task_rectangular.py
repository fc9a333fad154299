"""Tests drawing ideal pictures with networks of every kind of input and output."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.classifier import Classifier
from models.classify import classify
from models.ideal.ascent import whole
from models.ideal.crops import legible, random_crops
from models.ideal.options import METHODS, MOST_SIZE
from models.ideal.task import default_size, held_pixels
from models.pictures import decode, encode
from models.preprocessing import preprocess
from models.run import run
from models.spec import Spec
from tests.kinds_of_networks import Linear, convolutional, rectangular_spec
from tests.models.ideal.draw import draw_ideal, draw_one

SIZE = (24, 36)
KINDS: dict[str, dict[str, Any]] = {
    "rectangle": {},
    "upright": {"input_size": (40, 20), "resize": (44, 22)},
    "squash": {"resize_mode": "squash"},
    "pad": {"resize_mode": "pad", "padding": (0.2, 0.5, 0.9)},
    "BGR": {"colours": "BGR", "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3)},
    "LA": {"colours": "LA", "mean": (0.5, 0.0), "std": (0.5, 1.0)},
    "background and probabilities": {"outputs": "probabilities", "background": True},
    "labels": {"multi_label": True},
}
FAST: dict[str, Any] = {"steps": 12, "crops": 4}


@pytest.fixture(params=KINDS)
def network(request: pytest.FixtureRequest) -> Classifier:
    return convolutional(rectangular_spec(SIZE, **KINDS[request.param]))


def ramps(side: int) -> Tensor:
    """A picture [1, 3, side, side] with x and y, from 0 to 1, as its first two channels."""
    line = (torch.arange(side) + 0.5) / side
    x, y = line.expand(side, side), line.unsqueeze(1).expand(side, side)
    return torch.stack([x, y, torch.zeros(side, side)]).unsqueeze(0)


def test_the_picture_is_a_square_of_the_longer_side_and_scored_as_the_file(network: Classifier) -> None:
    """/classify gives the PNG the reported probability and rank; pictures for networks that see grey are grey."""
    longer = max(network.spec.size)
    for size in (None, 50):
        result = draw_one(network, 1, size=size, **FAST)
        assert result.picture.shape == (3, size or longer, size or longer)
        ranked = run(classify(decode(encode(result.picture)), network.spec), network)
        place = [prediction.index for prediction in ranked].index(1)
        assert result.score.rank == place + 1
        assert result.score.strength == pytest.approx(ranked[place].probability, abs=1e-5)
        if network.spec.channel_names.startswith("L"):
            assert torch.equal(result.picture[0], result.picture[1])


def test_the_ascent_raises_the_probability(network: Classifier) -> None:
    """Mean over the families of views, after one step from noise and after sixty."""
    first, last = (draw_one(network, 2, steps=steps, crops=4, size=36).score.robust for steps in (1, 60))
    assert last > first


def test_the_views_have_the_size_of_the_input(network: Classifier) -> None:
    """Of pictures smaller and larger than that, whole and in crops; one colour stays that colour beside the padding."""
    spec = network.spec
    height, width = spec.size
    colour, left = torch.full((1, 3, height, width), 0.3), (width - height) // 2
    one = colour.clone()
    if spec.resize_mode == "pad":  # a square in the middle of a wide input
        one[:] = torch.tensor(spec.padding).view(3, 1, 1)
        one[..., left : left + height] = 0.3
    for side in (10, 36, 200):
        picture = torch.full((1, 3, side, side), 0.3)
        crops = random_crops(picture, 3, spec, torch.Generator().manual_seed(0))
        torch.testing.assert_close(crops, colour.expand(3, -1, -1, -1))
        torch.testing.assert_close(whole(picture, spec), one)


@pytest.mark.parametrize("mode", ["crop", "squash"])
@pytest.mark.parametrize("side", [36, 72, 20])
def test_the_whole_picture_is_what_preprocessing_makes_of_a_square(side: int, mode: str) -> None:
    """Its middle, or where preprocessing squashes pictures, all of it."""
    spec = rectangular_spec(SIZE, resize_mode=mode)
    torch.testing.assert_close(whole(ramps(side), spec), preprocess(ramps(side), spec), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("mode", "height"), [("crop", 24 / 36), ("pad", 24 / 36), ("squash", 1.0)])
def test_a_crop_has_the_proportions_that_the_network_sees(mode: str, height: float) -> None:
    """An unrotated crop of the full side spans the width of the picture, and 2/3 of its height unless it is squashed.

    On ramps from 0 to 1: the centres of 36 pixels span 35/36 of the width, those of 24 rows 23/24 of the height.
    """
    spec = rectangular_spec(SIZE, resize_mode=mode)
    still = {"smallest": 1.0, "largest": 1.0, "turn": 0.0}
    crops = random_crops(ramps(72), 20, spec, torch.Generator().manual_seed(0), **still)
    across = (crops[:, 0, :, -1] - crops[:, 0, :, 0]).abs()
    down = crops[:, 1, -1] - crops[:, 1, 0]
    torch.testing.assert_close(across, torch.full_like(across, 35 / 36), rtol=0, atol=1e-4)
    torch.testing.assert_close(down, torch.full_like(down, height * 23 / 24), rtol=0, atol=1e-4)
    middle = crops[:, 1].mean(dim=(1, 2))
    torch.testing.assert_close(middle, torch.full_like(middle, 0.5), rtol=0, atol=1e-4)


def test_rotated_crops_are_not_sheared() -> None:
    """The derivatives across and down have a right angle and equal lengths, in pixels of the picture."""
    spec = rectangular_spec(SIZE)
    crops = random_crops(ramps(144), 40, spec, torch.Generator().manual_seed(0), smallest=0.5)[..., 10:14, 14:22]
    across = (crops[..., 1:] - crops[..., :-1]).mean(dim=(2, 3))[:, :2]
    down = (crops[..., 1:, :] - crops[..., :-1, :]).mean(dim=(2, 3))[:, :2]
    torch.testing.assert_close((across * down).sum(dim=1), torch.zeros(40), rtol=0, atol=1e-6)
    torch.testing.assert_close(across.norm(dim=1), down.norm(dim=1), rtol=1e-2, atol=0)


def test_large_pictures_are_reduced_to_twice_the_longer_side() -> None:
    assert legible(torch.zeros(1, 3, 200, 200), SIZE).shape == (1, 3, 72, 72)
    assert legible(torch.zeros(1, 3, 72, 72), SIZE).shape == (1, 3, 72, 72)


def test_the_default_size_is_the_longer_side_up_to_a_limit() -> None:
    assert default_size(rectangular_spec((24, 36))) == default_size(rectangular_spec((36, 24))) == 36
    assert default_size(rectangular_spec((16, 2048))) == MOST_SIZE == 1024


def test_the_number_of_pixels_in_memory() -> None:
    """A picture of 100 x 100, and four views of 24 x 36 pixels."""
    assert held_pixels(rectangular_spec(SIZE), {"crops": 4, "batch": 4}, size=100, count=1) == 10_000 + 4 * 864


@pytest.mark.parametrize("method", METHODS)
def test_every_method_draws_for_a_rectangular_input(method: str) -> None:
    classifier = convolutional(rectangular_spec(SIZE))
    result = draw_ideal(classifier, 0, method=method, count=2, **FAST)
    assert result.sheet.shape[0] == 3 and all(picture.picture.shape == (3, 36, 36) for picture in result.pictures)
    assert all(0 <= picture.score.robust <= 1 for picture in result.pictures)


@pytest.mark.parametrize("objective", ["logit", "margin", "cross_entropy"])
def test_the_ideal_of_a_label_is_found(objective: str) -> None:
    """By a linear network: each objective raises the label's logit, whatever the logits of other labels are.

    Both labels have the same weights, so a margin between them could not be raised.
    """
    network = Linear(2, SIZE)
    with torch.no_grad():
        network.weight[1], network.bias[:] = network.weight[0], torch.tensor([-1.0, 0.0])
    spec = rectangular_spec(SIZE, classes=("a", "b"), multi_label=True)
    classifier = Classifier(network, spec)
    result = draw_one(classifier, 0, objective=objective, steps=40, crops=0, noise=0.0, method="pixel")
    (probability,) = [
        prediction.probability for prediction in run(classify(result.picture, spec), classifier) if not prediction.index
    ]
    assert probability == pytest.approx(result.score.strength, abs=1e-6)
    assert probability > 0.9 and result.score.rank == 2


def test_a_channel_is_drawn_for_a_rectangular_input() -> None:
    classifier = convolutional(rectangular_spec(SIZE))
    layer = classifier.layers.find("4")
    result = draw_one(classifier, (layer, 3), **FAST)
    assert (layer.height, layer.width) == (6, 9)
    assert result.picture.shape == (3, 36, 36) and result.on_noise is not None and result.score.rank is None


def test_a_label_alone_has_an_ideal_picture() -> None:
    spec: Spec = rectangular_spec(SIZE, classes=("a",), multi_label=True)
    first, last = (draw_one(convolutional(spec), 0, steps=steps, crops=4).score for steps in (1, 40))
    assert (first.rank, last.rank) == (1, 1) and last.robust > first.robust
