"""Tests sigma-zero: the optimum of a linear model, and comparison with adversarial-library."""

from typing import Any

import pytest
from torch import Tensor

from models.attacks.options import ATTACKS
from models.classifier import Classifier
from models.store import Model
from tests.models.attacks.float_attack import LogitsModule, predicted_classes, run_float_attack
from tests.models.attacks.minimal import (
    TwoClasses,
    assert_no_worse,
    compare_with_oracle,
    count_passes,
)


@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_model_the_fewest_pixels_change(targeted: bool) -> None:
    """The fewest pixels are known: those of the largest gain until the margin is reached. At most one more is used."""
    problem = TwoClasses.draw()
    labels = 1 - problem.labels if targeted else problem.labels
    best = run_float_attack(
        ATTACKS["sigma_zero"], problem.classifier, problem.pictures, labels, targeted=targeted, steps=1000
    )
    surplus = best.size - problem.fewest_pixels()
    assert surplus.min() >= 0
    assert surplus.max() <= 1


def test_changes_are_no_larger_than_those_of_adversarial_library(
    adv_lib: Any, tiny: Classifier, small_pictures: Tensor
) -> None:
    """Both take the same steps and are measured in pixels; the library minimises values and has no targeted mode."""

    def oracle(model: LogitsModule, pictures: Tensor, labels: Tensor) -> Tensor:
        return adv_lib.sigma_zero(model, pictures, labels, num_steps=100)

    ours, theirs = compare_with_oracle("sigma_zero", "l0", tiny, small_pictures, oracle, steps=100)
    assert ours.isfinite().all()
    assert_no_worse(ours, theirs)


def test_targeted_sigma_zero_reaches_every_target(tiny: Classifier, small_pictures: Tensor) -> None:
    """Every target is reached, with a median of at most a tenth of the 1024 pixels."""
    targets = (predicted_classes(tiny, small_pictures) + 1) % 4
    best = run_float_attack(ATTACKS["sigma_zero"], tiny, small_pictures, targets, targeted=True, steps=100)
    assert best.won.all()
    assert (predicted_classes(tiny, best.pictures) == targets).all()
    assert best.size.median() <= 102


def test_the_number_of_passes(tiny: Classifier, small_pictures: Tensor) -> None:
    """One pass with gradients per step and row."""
    assert count_passes("sigma_zero", tiny, small_pictures[:3], steps=7) == (21, 21)


@pytest.mark.slow
def test_on_photos_changes_are_no_larger_than_those_of_adversarial_library(
    adv_lib: Any, imagenet: Model, crops: Tensor
) -> None:
    """On whole crops of 64 photos with 100 steps; on their middles the median is five pixels, too few to compare."""
    ours, theirs = compare_with_oracle(
        "sigma_zero",
        "l0",
        imagenet.classifier,
        crops,
        lambda model, pictures, labels: adv_lib.sigma_zero(model, pictures, labels, num_steps=100),
        steps=100,
    )
    assert_no_worse(ours, theirs)
