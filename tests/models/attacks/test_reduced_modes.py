"""Tests attacks on large photos, reduced to the model's input, for every kind of preprocessing."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import Norm, size
from models.attacks.reduced import GREY, LARGE, is_reduced, reduce
from models.classifier import Classifier
from models.classify import classify
from models.pictures import decode, encode
from models.preprocessing import preprocess, to_float
from models.run import run
from models.spec import Spec
from tests.conftest import Draw
from tests.kinds_of_networks import convolutional, labelling, rectangular_spec
from tests.models.attacks.attacking import run_attack

SQUASH: dict[str, Any] = {"resize_mode": "squash", "resize": (40, 60)}
PAD: dict[str, Any] = {"resize_mode": "pad", "resize": (32, 48), "padding": (0.2, 0.5, 0.9)}
KINDS: dict[str, dict[str, Any]] = {
    "rectangle": {"resize": (36, 54)},
    "squash": SQUASH,
    "squash, lanczos": {**SQUASH, "interpolation": "lanczos"},
    "pad": PAD,
    "pad, bicubic, cropped": {**PAD, "resize": (40, 60), "interpolation": "bicubic"},
    "bilinear, aliased": {"resize": (36, 54), "antialias": False},
    "nearest": {"resize": (36, 54), "interpolation": "nearest"},
}


@pytest.fixture(scope="module")
def photo(draw: Draw) -> Tensor:
    """Return a photo of just above a million pixels, of other proportions than the input."""
    return draw(900, 1130)


def spec_of(kind: str) -> Spec:
    return rectangular_spec((32, 48), **KINDS[kind])


def small_variable(norm: Norm, largest: float = 0.03) -> Tensor:
    """Return a variable of the small problem, of noise up to `largest`."""
    random = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return GREY + largest * (random.sign() if norm == "linf" else random)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_base_is_the_preprocessed_photo(photo: Tensor, kind: str, norm: Norm) -> None:
    """So is the view of the start, with the padding in its colour."""
    pixels, spec = to_float(photo).unsqueeze(0), spec_of(kind)
    small = reduce(pixels, norm, spec)
    assert small.base.shape == small.start.shape == (1, 3, 32, 48)
    torch.testing.assert_close(small.base, preprocess(pixels, spec), rtol=0, atol=1e-5)
    torch.testing.assert_close(small.view(small.start), small.base)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("kind", KINDS)
def test_preprocessing_the_lifted_change_gives_the_view_of_the_variable(photo: Tensor, kind: str, norm: Norm) -> None:
    """This holds where no pixel reaches black or white; nothing changes in the padding."""
    pixels, spec = to_float(photo).unsqueeze(0), spec_of(kind)
    small = reduce(pixels, norm, spec)
    # A change of the few pixels that are read without antialiasing is `unit` times as large as that of the variable.
    aliased = norm == "l2" and (not spec.antialias or spec.interpolation == "nearest")
    variable = small_variable(norm, 0.03 / small.unit if aliased else 0.03)
    changed = pixels + small.lift(variable)
    assert changed.min() > 0 and changed.max() < 1 and (changed - pixels).abs().max() > 1 / 255
    torch.testing.assert_close(preprocess(changed, spec), small.view(variable), rtol=0, atol=5e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_lowering_undoes_lifting_where_the_photo_is_seen(photo: Tensor, kind: str) -> None:
    pixels, spec = to_float(photo).unsqueeze(0), spec_of(kind)
    for norm in ("l2", "linf"):
        small, variable = reduce(pixels, norm, spec), small_variable(norm)
        lifted = small.lift(variable)
        again = small.lift(small.lower(lifted))
        torch.testing.assert_close(again, lifted, rtol=0, atol=1e-4)
        seen = small.lower(lifted) - GREY
        shown = (seen.abs() > 1e-4).any(dim=1)[0]
        expected = variable[..., shown] - GREY
        torch.testing.assert_close(seen[..., shown], expected, rtol=0, atol=1e-4)
        assert shown.float().mean() > 0.8, "most of the input shows the photo"


def test_in_l2_the_unit_is_how_many_times_longer_the_photo_is(photo: Tensor) -> None:
    """Squashed from 900 x 1130 to 40 x 60 pixels: the root of the factors 22.5 and 18.8."""
    pixels, spec = to_float(photo).unsqueeze(0), spec_of("squash")
    small = reduce(pixels, "l2", spec)
    expected = math.sqrt(900 / 40 * 1130 / 60)
    assert small.unit == pytest.approx(expected)
    ratio = size(small.lift(small_variable("l2")), "l2") / size(small_variable("l2") - GREY, "l2")
    assert ratio.item() == pytest.approx(expected, rel=1e-3)


def test_only_photos_that_are_reduced_on_both_sides_are_attacked_at_the_small_size() -> None:
    """A strip of 20 x 60,000 pixels is enlarged to the 40 rows of a squashed input, and fits a padded one."""
    strip = torch.zeros(1, 1, 1, 1).expand(1, 3, 20, 60_000)
    assert not is_reduced(strip, "l2", rectangular_spec((32, 48), **SQUASH))
    assert is_reduced(strip, "l2", rectangular_spec((32, 48), **PAD))
    assert is_reduced(torch.zeros(1, 1, 1, 1).expand(1, 3, 1000, 1000), "l2", rectangular_spec((32, 48), **SQUASH))
    assert not is_reduced(torch.zeros(1, 1, 1, 1).expand(1, 3, 999, 1000), "l2", rectangular_spec((32, 48), **SQUASH))


@pytest.mark.parametrize(
    ("kind", "attack", "norm"),
    [
        ("rectangle", "ddn", "l2"),
        ("squash, lanczos", "pgd", "linf"),
        ("squash", "ddn", "l2"),
        ("pad", "pgd", "linf"),
        ("pad, bicubic, cropped", "ddn", "l2"),
    ],
)
def test_a_reduced_attack_is_verified_in_the_file(photo: Tensor, kind: str, attack: str, norm: str) -> None:
    """A small convolutional network takes the PNG of a million pixels for another class, as the result says."""
    classifier = convolutional(spec_of(kind))
    assert photo[0].numel() >= LARGE and is_reduced(to_float(photo).unsqueeze(0), "l2", classifier.spec)
    options = {"epsilon": 25 / 255} if attack == "pgd" else {}
    result = run_attack(classifier, photo, attack=attack, norm=norm, steps=20, **options)
    assert result.success and result.picture.shape == photo.shape
    prediction = run(classify(decode(encode(result.picture)), classifier.spec), classifier)[0]
    assert prediction.index == result.adversarial.index != result.original.index
    assert prediction.probability == pytest.approx(result.adversarial.probability, abs=1e-4)
    assert result.norms["linf"] <= options.get("epsilon", 1.0) + 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_the_reduced_change_is_as_small_as_at_full_size(draw: Draw, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without reduction the file is adversarial, and the L2 norms of the changes differ by at most 5 %."""
    classifier, picture, sizes = convolutional(spec_of(kind)), draw(120, 165), []
    for threshold in (1, 10**9):
        monkeypatch.setattr("models.attacks.reduced.LARGE", threshold)
        result = run_attack(classifier, picture, attack="ddn", steps=30)
        assert result.success
        sizes.append(result.norms["l2"])
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


@pytest.mark.parametrize("kind", ["squash", "pad"])
def test_a_reduced_attack_removes_a_label(photo: Tensor, kind: str) -> None:
    """The change is that of the small problem, |z| / ||w||, at the size of the photo, which is `unit` times as large.

    With padding, only the weights that the photo is shown to count.
    """
    plain = labelling(photo, (0.8, -0.5), (32, 48))
    spec = replace(plain.spec, **KINDS[kind])
    classifier = Classifier(plain.network[1], spec)
    pixels = to_float(photo).unsqueeze(0)
    with torch.no_grad():
        classifier.network[1].bias += torch.tensor([0.8, -0.5]) - classifier.logits(preprocess(pixels, spec))[0]
    result = run_attack(classifier, photo)
    assert result.success and result.adversarial.label == "person" and result.adversarial.probability < 0.5
    leaf = pixels.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(classifier.logits(preprocess(leaf, spec))[0, 0], leaf)
    assert result.norms["l2"] == pytest.approx(0.8 / gradient.norm().item(), rel=0.1)
