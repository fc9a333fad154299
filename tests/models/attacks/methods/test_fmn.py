"""Tests the fast minimum-norm attack: the optimum of a linear model, and comparison with adversarial-library."""

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
    """It is |margin| over the dual norm of the gradient (L2 for L2, L1 for Linf, Linf for L1), found within 1 %.

    For L1 the margins are so small that the value of the largest gradient crosses the border before black or white.
    """
    problem = TwoClasses.draw()
    if norm == "l1":
        problem = problem.nearer(0.1)
    dual = {"l2": problem.weight.norm(), "linf": problem.weight.abs().sum(), "l1": problem.weight.abs().max()}[norm]
    labels = 1 - problem.labels if targeted else problem.labels
    best = run_float_attack(ATTACKS["fmn"], problem.classifier, problem.pictures, labels, targeted=targeted, norm=norm)
    assert best.won.all()
    torch.testing.assert_close(best.size, problem.margin / dual, rtol=0.01, atol=1e-5)


@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_model_the_fewest_pixels_change(targeted: bool) -> None:
    """The fewest pixels are known: those of the largest gain until the margin is reached. At most one more is used."""
    problem = TwoClasses.draw()
    labels = 1 - problem.labels if targeted else problem.labels
    best = run_float_attack(ATTACKS["fmn"], problem.classifier, problem.pictures, labels, targeted=targeted, norm="l0")
    surplus = best.size - problem.fewest_pixels()
    assert surplus.min() >= 0
    assert surplus.max() <= 1


@pytest.mark.parametrize(
    "norm", ["l0", *(pytest.param(norm, marks=pytest.mark.slow) for norm in NORMS if norm != "l0")]
)
@pytest.mark.parametrize("targeted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_changes_are_no_larger_than_those_of_adversarial_library(
    adv_lib: Any, tiny: Classifier, small_pictures: Tensor, norm: Norm, targeted: bool
) -> None:
    """Both take the same steps, and L0 counts pixels for both."""
    targets = (predicted_classes(tiny, small_pictures) + 1) % 4 if targeted else None

    def oracle(model: LogitsModule, pictures: Tensor, labels: Tensor) -> Tensor:
        return adv_lib.fmn(model, pictures, labels, norm=ORDER[norm], targeted=targeted, steps=50)

    ours, theirs = compare_with_oracle("fmn", norm, tiny, small_pictures, oracle, targets=targets, steps=50)
    assert ours.isfinite().all()
    assert_no_worse(ours, theirs)


def test_rows_that_have_won_at_the_start_are_unchanged(tiny: Classifier, small_pictures: Tensor) -> None:
    """The labels are not the predicted classes, so nothing has to change, in any norm."""
    labels = (predicted_classes(tiny, small_pictures[:4]) + 1) % 4
    for norm in NORMS:
        best = run_float_attack(ATTACKS["fmn"], tiny, small_pictures[:4], labels, norm=norm, steps=5)
        assert best.size.tolist() == [0] * 4


def test_the_number_of_passes(tiny: Classifier, small_pictures: Tensor) -> None:
    """One pass with gradients per step and row."""
    for norm in NORMS:
        assert count_passes("fmn", tiny, small_pictures[:3], norm=norm, steps=7) == (21, 21)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_on_photos_changes_are_no_larger_than_those_of_adversarial_library(
    adv_lib: Any, imagenet: Model, crops: Tensor, norm: Norm
) -> None:
    """On the middles of 64 photos, for MobileNetV2, with 100 steps."""
    ours, theirs = compare_with_oracle(
        "fmn",
        norm,
        imagenet.classifier,
        centre_crops(crops),
        lambda model, pictures, labels: adv_lib.fmn(model, pictures, labels, norm=ORDER[norm], steps=100),
        steps=100,
    )
    assert_no_worse(ours, theirs)
