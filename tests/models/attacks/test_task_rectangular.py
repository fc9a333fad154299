"""Tests attacks, curves and targets on networks of every kind of input and output, from the picture to its file."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.curves.curve import curve
from models.attacks.options import ATTACKS
from models.attacks.targets import suggest_targets
from models.classifier import Classifier
from models.classify import classify
from models.pictures import decode, encode
from models.preprocessing import preprocess, to_float
from models.run import run
from models.spec import Spec
from tests.conftest import Draw
from tests.kinds_of_networks import Linear, convolutional, rectangular_spec, with_logits
from tests.models.attacks.attacking import run_attack

SIZE = (24, 36)
KINDS: dict[str, dict[str, Any]] = {
    "rectangle": {},
    "upright": {"input_size": (40, 20), "resize": (44, 22)},
    "squash": {"resize_mode": "squash", "resize": (28, 40), "interpolation": "hamming"},
    "pad": {"resize_mode": "pad", "padding": (0.2, 0.5, 0.9), "interpolation": "lanczos"},
    "aliased": {"antialias": False, "interpolation": "bicubic"},
    "nearest": {"interpolation": "nearest"},
    "BGR": {"colours": "BGR", "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3)},
    "RGBA": {"colours": "RGBA", "mean": (0.5,) * 4, "std": (0.5,) * 4},
    "LA": {"colours": "LA", "mean": (0.5, 0.0), "std": (0.5, 1.0)},
    "probabilities": {"outputs": "probabilities", "temperature": 1.5},
    "background": {"background": True},
    "background and probabilities": {"outputs": "probabilities", "background": True},
    "labels": {"multi_label": True},
    "probabilities of labels": {"multi_label": True, "outputs": "probabilities"},
}


@pytest.fixture(scope="module")
def picture(draw: Draw) -> Tensor:
    return draw(60, 70)


@pytest.fixture(scope="module", params=KINDS)
def network(request: pytest.FixtureRequest, picture: Tensor) -> Classifier:
    """Return a small convolutional network that finds the class or label `a`, `b` or `c` in the picture."""
    classifier = convolutional(rectangular_spec(SIZE, **KINDS[request.param]))
    if classifier.spec.multi_label:  # the most probable label is found, and the others are not
        with torch.no_grad():
            logits = classifier.logits(preprocess(to_float(picture).unsqueeze(0), classifier.spec))[0]
            classifier.network[1][7].bias += 0.5 - logits.amax()
    return classifier


@pytest.mark.parametrize(("attack", "norm"), [("auto", "l2"), ("pgd", "linf")])
def test_the_verdict_is_that_of_the_file(network: Classifier, picture: Tensor, attack: str, norm: str) -> None:
    """The PNG, read and classified again, has the reported class and probability, which fool the network."""
    options = {"epsilon": 0.15, "steps": 10} if norm == "linf" else {"effort": "quick"}
    result = run_attack(network, picture, attack=attack, norm=norm, **options)
    assert result.success and result.picture.shape == picture.shape
    predictions = run(classify(decode(encode(result.picture)), network.spec), network)
    if network.spec.multi_label:
        (prediction,) = [prediction for prediction in predictions if prediction.index == result.original.index]
        assert result.adversarial.index == prediction.index and prediction.probability < 0.5
    else:
        prediction = predictions[0]
        assert prediction.index == result.adversarial.index != result.original.index
    assert prediction.probability == pytest.approx(result.adversarial.probability, abs=1e-4)


def test_a_folded_network_gives_the_same_probabilities(network: Classifier, picture: Tensor) -> None:
    """Batch norms are folded into convolutions of any number of channels, and both ends stay."""
    pixels, folded = to_float(picture).unsqueeze(0), network.fold()
    probabilities = network.probabilities(pixels)
    torch.testing.assert_close(folded.probabilities(pixels), probabilities, rtol=1e-4, atol=1e-5)
    assert probabilities.shape == (1, 3)
    if not network.spec.multi_label:
        assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    folded.warm_up()
    names, folded_names = ({layer.name for layer in each.layers} for each in (network, folded))
    assert names - folded_names == {"1"}, "the batch norm"


def test_the_curve_and_the_nearest_classes(network: Classifier, picture: Tensor) -> None:
    result = run(curve(picture, network.spec, norms=["l2"], norm="l2", steps=20), network)
    assert result.smallest["l2"].success and result.points[-1].success
    near = run(suggest_targets(picture, network.spec), network)
    assert near.original.index == result.original.index
    others = {index for index in range(3) if index != near.original.index}
    if network.spec.multi_label:
        probabilities = network.probabilities(to_float(picture).unsqueeze(0))[0]
        others = {index for index in others if probabilities[index] < 0.5}
    assert {label.index for label in near.nearest} == others


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_works_on_a_rectangular_input(draw: Draw, attack: str) -> None:
    """On a linear network of 12 x 16 patches, whose classes are nearly as probable; also the patch attack."""
    picture, spec = draw(48, 40), rectangular_spec((24, 36))
    classifier = with_logits(Linear(3, (24, 36)), spec, picture, (0.15, 0.0, -0.2))
    options: dict[str, Any] = {"epsilon": 0.1} if "epsilon" in ATTACKS[attack].defaults else {}
    options |= {"steps": 300, "stop": "first"} if attack == "square" else {}
    result = run_attack(classifier, picture, attack=attack, **options)
    assert result.success
    assert run(classify(result.picture, spec), classifier)[0].index == result.adversarial.index != 0


@pytest.mark.parametrize(
    ("fields", "size"),
    [({}, (48, 216)), ({"resize_mode": "squash"}, (30, 300)), ({"resize_mode": "pad"}, (20, 90))],
)
def test_the_smallest_change_is_the_distance_at_the_size_of_the_picture(
    draw: Draw, fields: dict[str, Any], size: tuple[int, int]
) -> None:
    """|z_0 - z_1| / ||w||, with w the gradient at the picture; nothing changes in what the network does not see."""
    picture, spec = draw(*size), rectangular_spec((24, 36), classes=("a", "b"), **fields)
    classifier = with_logits(Linear(2, (24, 36)), spec, picture, (0.5, 0.0))
    result = run_attack(classifier, picture, effort="thorough")
    leaf = to_float(picture).unsqueeze(0).requires_grad_()
    logits = classifier.logits(preprocess(leaf, spec))[0]
    (weight,) = torch.autograd.grad(logits[0] - logits[1], leaf)
    assert result.success and result.norms["l2"] == pytest.approx(0.5 / weight.norm().item(), rel=0.05)
    changed = (result.picture != picture).any(dim=0)
    assert not changed[(weight == 0).all(dim=1)[0]].any()
    if not fields:  # 72 of 216 columns are seen, and in part one more on each side
        assert not changed[:, :71].any() and not changed[:, 145:].any()


def test_photos_of_a_single_row_or_column_are_attacked(draw: Draw) -> None:
    """Resized, squashed and padded to an input of 24 x 36 pixels."""
    for size in ((1, 400), (400, 1)):
        for mode in ("crop", "squash", "pad"):
            spec: Spec = rectangular_spec((24, 36), classes=("a", "b"), resize_mode=mode)
            classifier = with_logits(Linear(2, (24, 36)), spec, draw(*size), (0.05, 0.0))
            result = run_attack(classifier, draw(*size), attack="pgd", epsilon=0.2)
            assert result.success and result.picture.shape == (3, *size)
