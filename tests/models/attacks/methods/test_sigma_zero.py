"""sigma-zero: the known optimum of a linear model, and adversarial-library's own run."""

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
    """Pixels by their largest gain within [0, 1], summed until they are the margin; at most one more is taken."""
    two = TwoClasses.draw()
    labels = 1 - two.labels if targeted else two.labels
    best = run_float_attack(ATTACKS["sigma_zero"], two.classifier, two.pictures, labels, targeted=targeted, steps=1000)
    surplus = best.size - two.fewest_pixels()
    assert surplus.min() >= 0
    assert surplus.max() <= 1


def test_it_is_no_worse_than_adversarial_librarys(adv_lib: Any, tiny: Classifier, small_pictures: Tensor) -> None:
    """The same steps, both in pixels; theirs counts values, and has no targeted one."""

    def oracle(model: LogitsModule, pictures: Tensor, labels: Tensor) -> Tensor:
        return adv_lib.sigma_zero(model, pictures, labels, num_steps=100)

    ours, theirs = compare_with_oracle("sigma_zero", "l0", tiny, small_pictures, oracle, steps=100)
    assert ours.isfinite().all()
    assert_no_worse(ours, theirs)


def test_targeted_it_gets_there(tiny: Classifier, small_pictures: Tensor) -> None:
    """Every target is reached by at most a tenth of the 1024 pixels in the median."""
    targets = (predicted_classes(tiny, small_pictures) + 1) % 4
    best = run_float_attack(ATTACKS["sigma_zero"], tiny, small_pictures, targets, targeted=True, steps=100)
    assert best.won.all()
    assert (predicted_classes(tiny, best.pictures) == targets).all()
    assert best.size.median() <= 102


def test_passes(tiny: Classifier, small_pictures: Tensor) -> None:
    """One pass with gradients per step and row."""
    assert count_passes("sigma_zero", tiny, small_pictures[:3], steps=7) == (21, 21)


@pytest.mark.slow
def test_on_photos_it_is_no_worse_than_adversarial_librarys(adv_lib: Any, imagenet: Model, crops: Tensor) -> None:
    """64 photos, MobileNetV2, 100 steps, both in pixels: of the middles the median is five, too few to compare."""
    ours, theirs = compare_with_oracle(
        "sigma_zero",
        "l0",
        imagenet.classifier,
        crops,
        lambda model, pictures, labels: adv_lib.sigma_zero(model, pictures, labels, num_steps=100),
        steps=100,
    )
    assert_no_worse(ours, theirs)
