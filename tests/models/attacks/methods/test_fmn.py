"""Fast minimum-norm: the known optimum of a linear model in four norms, and adversarial-library's own run."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import Norm
from models.attacks.options import ATTACKS
from models.classifier import Classifier
from models.store import Model
from tests.models.attacks.float_attack import LogitsModule, predicted_classes, run_float_attack
from tests.models.attacks.minimal import (
    TwoClasses,
    assert_no_worse,
    centre_crops,
    compare_with_oracle,
    count_passes,
)

NORMS: tuple[Norm, ...] = ("l2", "linf", "l1", "l0")
ORDER = {"l2": 2, "linf": float("inf"), "l1": 1, "l0": 0}


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_model_the_change_is_the_distance_to_the_border(norm: Norm, targeted: bool) -> None:
    """|margin| over the gradient's dual norm: L2 for L2, L1 for Linf, its largest value for L1; to 1 %.

    For L1 the margins are so small that the one value of largest gradient can do it before it is black or white.
    """
    two = TwoClasses.draw()
    if norm == "l1":
        two = two.nearer(0.1)
    dual = {"l2": two.weight.norm(), "linf": two.weight.abs().sum(), "l1": two.weight.abs().max()}[norm]
    labels = 1 - two.labels if targeted else two.labels
    best = run_float_attack(ATTACKS["fmn"], two.classifier, two.pictures, labels, targeted=targeted, norm=norm)
    assert best.won.all()
    torch.testing.assert_close(best.size, two.margin / dual, rtol=0.01, atol=1e-5)


@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_model_the_fewest_pixels_change(targeted: bool) -> None:
    """Pixels by their largest gain within [0, 1], summed until they are the margin; at most one more is taken."""
    two = TwoClasses.draw()
    labels = 1 - two.labels if targeted else two.labels
    best = run_float_attack(ATTACKS["fmn"], two.classifier, two.pictures, labels, targeted=targeted, norm="l0")
    surplus = best.size - two.fewest_pixels()
    assert surplus.min() >= 0
    assert surplus.max() <= 1


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("targeted", [False, True])
def test_it_is_no_worse_than_adversarial_librarys(
    adv_lib: Any, tiny: Classifier, small_pictures: Tensor, norm: Norm, targeted: bool
) -> None:
    """The same steps; L0 in pixels for both."""
    targets = (predicted_classes(tiny, small_pictures) + 1) % 4 if targeted else None

    def oracle(model: LogitsModule, pictures: Tensor, labels: Tensor) -> Tensor:
        return adv_lib.fmn(model, pictures, labels, norm=ORDER[norm], targeted=targeted, steps=50)

    ours, theirs = compare_with_oracle("fmn", norm, tiny, small_pictures, oracle, targets=targets, steps=50)
    assert ours.isfinite().all()
    assert_no_worse(ours, theirs)


def test_what_has_won_at_the_start_stays_there(tiny: Classifier, small_pictures: Tensor) -> None:
    """Labels that the model does not see: nothing changes, in no norm."""
    labels = (predicted_classes(tiny, small_pictures[:4]) + 1) % 4
    for norm in NORMS:
        best = run_float_attack(ATTACKS["fmn"], tiny, small_pictures[:4], labels, norm=norm, steps=5)
        assert best.size.tolist() == [0] * 4


def test_passes(tiny: Classifier, small_pictures: Tensor) -> None:
    """One pass with gradients per step and row."""
    for norm in NORMS:
        assert count_passes("fmn", tiny, small_pictures[:3], norm=norm, steps=7) == (21, 21)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_on_photos_it_is_no_worse_than_adversarial_librarys(
    adv_lib: Any, imagenet: Model, crops: Tensor, norm: Norm
) -> None:
    """The middles of 64 photos, MobileNetV2, 100 steps."""
    ours, theirs = compare_with_oracle(
        "fmn",
        norm,
        imagenet.classifier,
        centre_crops(crops),
        lambda model, pictures, labels: adv_lib.fmn(model, pictures, labels, norm=ORDER[norm], steps=100),
        steps=100,
    )
    assert_no_worse(ours, theirs)
