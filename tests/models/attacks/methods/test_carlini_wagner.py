"""Tests the attack of Carlini and Wagner: the optimum of a linear model, and comparison with adversarial-library."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.options import ATTACKS
from models.classifier import Classifier
from models.store import Model
from tests.models.attacks.float_attack import LogitsModule, predicted_classes, run_float_attack
from tests.models.attacks.minimal import (
    TwoClasses,
    assert_no_worse,
    assert_the_mask_confines,
    centre_crops,
    compare_with_oracle,
    count_passes,
)
from tests.networks import LinearNetwork, unnormalised

SHORT = {"steps": 50, "searches": 3, "initial_constant": 1.0}
LONGER = {"steps": 200, "searches": 6, "initial_constant": 0.1}


@pytest.mark.parametrize("step_size", [None, 0.01])
@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_model_the_change_is_the_distance_to_the_border(targeted: bool, step_size: float | None) -> None:
    """For two classes it is |margin| / |gradient|, found within 1 % by six searches of 200 steps."""
    problem = TwoClasses.draw()
    labels = 1 - problem.labels if targeted else problem.labels
    best = run_float_attack(
        ATTACKS["carlini_wagner"],
        problem.classifier,
        problem.pictures,
        labels,
        targeted=targeted,
        step_size=step_size,
        **LONGER,
    )
    assert best.won.all()
    torch.testing.assert_close(best.size, problem.margin / problem.weight.norm(), rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("targeted", [False, True])
def test_one_search_from_the_default_constant_is_enough_on_a_linear_model(targeted: bool) -> None:
    """The first constant is four times what the linear model needs, and a search with it ends at the border."""
    problem = TwoClasses.draw()
    labels = 1 - problem.labels if targeted else problem.labels
    options: dict[str, Any] = {"targeted": targeted, "steps": 200, "searches": 1}
    attack = ATTACKS["carlini_wagner"]
    best = run_float_attack(attack, problem.classifier, problem.pictures, labels, **options)
    assert best.won.all()
    torch.testing.assert_close(best.size, problem.margin / problem.weight.norm(), rtol=0.02, atol=1e-3)
    tiny_constant = run_float_attack(
        attack, problem.classifier, problem.pictures, labels, initial_constant=1e-8, **options
    )
    assert not tiny_constant.won.any()


@pytest.mark.parametrize("step_size", [None, pytest.param(0.01, marks=pytest.mark.slow)])
@pytest.mark.parametrize("targeted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_changes_are_no_larger_than_those_of_adversarial_library(
    adv_lib: Any, tiny: Classifier, small_pictures: Tensor, targeted: bool, step_size: float | None
) -> None:
    """Both use the same steps, searches and first constant; the other library's step size is 0.01."""
    targets = (predicted_classes(tiny, small_pictures) + 1) % 4 if targeted else None
    ours, theirs = compare_with_oracle(
        "carlini_wagner",
        "l2",
        tiny,
        small_pictures,
        _oracle(adv_lib, targeted=targeted),
        targets=targets,
        step_size=step_size,
        **SHORT,
    )
    assert ours.isfinite().all()
    assert_no_worse(ours, theirs)


def test_pictures_of_black_and_white_are_attacked_within_the_mask(tiny: Classifier, small_pictures: Tensor) -> None:
    """Pictures of only black and white win as well, stay in [0, 1], and are exactly unchanged outside the mask."""
    pictures = small_pictures[:4].round()
    assert_the_mask_confines("carlini_wagner", "l2", tiny, pictures, searches=4)


def test_the_number_of_passes(tiny: Classifier, small_pictures: Tensor) -> None:
    """One pass for the start and one per step and search; a search whose loss never falls ends after 2/5 of them."""
    options = {"steps": 4, "searches": 3, "initial_constant": 100.0}
    assert count_passes("carlini_wagner", tiny, small_pictures[:2], **options) == (2 * (1 + 3 * 4), 2 * (1 + 3 * 4))
    network = LinearNetwork(2, 16)
    network.layer.weight.data.zero_()
    constant_model = Classifier(network, unnormalised(2, 16))
    grey = torch.full((2, 3, 16, 16), 0.5)
    assert count_passes("carlini_wagner", constant_model, grey, steps=50, searches=3) == (
        2 * (1 + 3 * 20),
        2 * (1 + 3 * 20),
    )


@pytest.mark.slow
def test_on_photos_changes_are_no_larger_than_those_of_adversarial_library(
    adv_lib: Any, imagenet: Model, crops: Tensor
) -> None:
    """On the middles of 64 photos, for MobileNetV2, with three searches of 50 steps."""
    ours, theirs = compare_with_oracle(
        "carlini_wagner", "l2", imagenet.classifier, centre_crops(crops), _oracle(adv_lib), **SHORT
    )
    assert_no_worse(ours, theirs)


def _oracle(adv_lib: Any, *, targeted: bool = False) -> Any:
    def oracle(model: LogitsModule, pictures: Tensor, labels: Tensor) -> Tensor:
        return adv_lib.carlini_wagner_l2(
            model,
            pictures,
            labels,
            targeted=targeted,
            max_iterations=SHORT["steps"],
            binary_search_steps=SHORT["searches"],
            initial_const=SHORT["initial_constant"],
        )

    return oracle
