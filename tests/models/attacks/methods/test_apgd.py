"""Tests Auto-PGD: the optimum of a linear model in every norm, and comparisons with adversarial-library."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import Norm, size
from models.attacks.methods.apgd import LOSSES
from models.attacks.methods.apgd_steps import checkpoints
from models.attacks.objectives import dlr, log_odds, margin
from models.attacks.options import ATTACKS, BadAttack, attack_options
from models.classifier import Classifier
from models.store import Model
from tests.models.attacks.float_attack import LogitsModule, predicted_classes, run_float_attack
from tests.models.attacks.minimal import TwoClasses, assert_the_mask_confines, centre_crops, count_passes
from tests.networks import Recording

BUDGETS: dict[Norm, float] = {"linf": 4 / 255, "l2": 0.7, "l1": 10.0}
"""Budgets at which between 20 and 80 % of the small pictures are fooled."""
ORDER: dict[Norm, float] = {"linf": math.inf, "l2": 2, "l1": 1}


def final_loss(loss: str, logits: Tensor, labels: Tensor, *, targeted: bool) -> Tensor:
    """Return the loss that the attack minimises; for a target, the DLR loss takes four logits."""
    if not targeted:
        return {"ce": log_odds, "dlr": dlr}[loss](logits, labels)
    if loss == "ce":
        return -log_odds(logits, labels)
    first, _, third, fourth = logits.topk(4, dim=1).values.unbind(dim=1)
    return -margin(logits, labels) / (first - (third + fourth) / 2)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(
    ("norm", "epsilon", "dual"), [("linf", 8 / 255, "l1"), ("l2", 0.5, "l2"), ("l1", 0.35, "linf")]
)
def test_apgd_reaches_the_optimum_of_a_linear_model(
    norm: Norm, epsilon: float, dual: Norm, targeted: bool, loss: str
) -> None:
    """The margin falls by epsilon times the dual norm of its gradient, within 1 % (in L1 within 2 %).

    With two classes all losses are the margin, targeted or not. In L1 the optimum moves the one value of most gain.
    """
    problem = TwoClasses.draw()
    labels = 1 - problem.labels if targeted else problem.labels
    best = run_float_attack(
        ATTACKS["apgd"],
        problem.classifier,
        problem.pictures,
        labels,
        targeted=targeted,
        norm=norm,
        epsilon=epsilon,
        loss=loss,
    )
    steepness = size(problem.weight.reshape(1, 3, 16, 16), dual)
    relative_gain = (problem.margin - best.loss) / (epsilon * steepness)
    assert (relative_gain > (0.98 if norm == "l1" else 0.99)).all() and (relative_gain < 1.001).all()
    assert (size(best.pictures - problem.pictures, norm) <= epsilon * (1 + 1e-5)).all()


@pytest.mark.parametrize("loss", ["ce", pytest.param("dlr", marks=pytest.mark.slow)])
@pytest.mark.parametrize("targeted", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("norm", BUDGETS)
def test_apgd_is_as_strong_as_that_of_adversarial_library(
    adv_lib: Any, tiny: Classifier, small_pictures: Tensor, norm: Norm, targeted: bool, loss: str
) -> None:
    """At the same epsilon and 100 steps, there are at least as many successes, and the mean final loss is no higher.

    Both start at random, so the mean loss may be 0.01 higher: one of forty pictures in another local minimum.
    """
    labels = predicted_classes(tiny, small_pictures)
    if targeted:
        labels = (labels + 1) % 4
    epsilon = BUDGETS[norm] * (1.8 if targeted else 1)
    torch.manual_seed(0)
    common = {"norm": ORDER[norm], "targeted": targeted, "n_iter": 100, "loss_function": loss}
    adversarial = adv_lib.apgd(LogitsModule(tiny), small_pictures, labels, epsilon, **common)
    lowest = adv_lib.apgd(LogitsModule(tiny), small_pictures, labels, epsilon, best_loss=True, **common)
    their_success = (predicted_classes(tiny, adversarial) == labels) == targeted
    network = Recording(tiny)
    best = run_float_attack(
        ATTACKS["apgd"], network, small_pictures, labels, targeted=targeted, norm=norm, epsilon=epsilon, loss=loss
    )
    losses = [final_loss(loss, logits, labels, targeted=targeted) for logits in network.logits]
    our_loss = torch.stack(losses).amin(dim=0)
    their_loss = final_loss(loss, tiny.logits(lowest), labels, targeted=targeted)
    assert 0.2 <= best.won.float().mean() <= 0.8
    assert best.won.sum() >= their_success.sum()
    assert our_loss.mean() <= their_loss.mean() + 0.01


@pytest.mark.parametrize(
    "norm", ["linf", *(pytest.param(norm, marks=pytest.mark.slow) for norm in BUDGETS if norm != "linf")]
)
def test_targeted_dlr_is_as_strong_as_that_of_adversarial_library(
    adv_lib: Any, tiny: Classifier, small_pictures: Tensor, norm: Norm
) -> None:
    """Towards all three other classes with 40 steps each, there are at least as many successes."""
    labels = predicted_classes(tiny, small_pictures)
    torch.manual_seed(0)
    adversarial = adv_lib.apgd_targeted(
        LogitsModule(tiny), small_pictures, labels, BUDGETS[norm], norm=ORDER[norm], n_iter=40
    )
    theirs = predicted_classes(tiny, adversarial) != labels
    options = {"norm": norm, "epsilon": BUDGETS[norm], "steps": 40, "loss": "dlr_targeted"}
    ours = run_float_attack(ATTACKS["apgd"], tiny, small_pictures, labels, **options).won
    assert 0.2 <= ours.float().mean() <= 0.8
    assert ours.sum() >= theirs.sum()


def test_targeted_dlr_reaches_targets_as_often_as_cross_entropy(tiny: Classifier, small_pictures: Tensor) -> None:
    """Towards the next class, there are at most two fewer successes than with cross-entropy."""
    targets = (predicted_classes(tiny, small_pictures) + 1) % 4
    options = {"targeted": True, "epsilon": 12 / 255, "steps": 40}
    ratio = run_float_attack(ATTACKS["apgd"], tiny, small_pictures, targets, loss="dlr_targeted", **options).won
    entropy = run_float_attack(ATTACKS["apgd"], tiny, small_pictures, targets, loss="ce", **options).won
    assert ratio.sum() >= entropy.sum() - 2 > 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("norm", BUDGETS)
def test_rows_of_a_batch_do_not_affect_each_other(
    tiny: Classifier, small_pictures: Tensor, norm: Norm, loss: str
) -> None:
    """Checkpoints, restarts and successes are per row, so success and loss of a row are the same as alone."""
    pictures, labels = small_pictures[:6], predicted_classes(tiny, small_pictures[:6])
    options = {"norm": norm, "epsilon": BUDGETS[norm], "steps": 15, "restarts": 2, "loss": loss}
    together = run_float_attack(ATTACKS["apgd"], tiny, pictures, labels, **options)
    for row in range(6):
        alone = run_float_attack(ATTACKS["apgd"], tiny, pictures[row : row + 1], labels[row : row + 1], **options)
        assert together.won[row] == alone.won[0]
        torch.testing.assert_close(together.loss[row], alone.loss[0], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("norm", BUDGETS)
def test_only_pixels_of_the_mask_change(tiny: Classifier, small_pictures: Tensor, norm: Norm) -> None:
    """With a mask of the left half, rows still win and the right half is exactly unchanged, also by a random start."""
    assert_the_mask_confines("apgd", norm, tiny, small_pictures, epsilon=10 * BUDGETS[norm], steps=20)


def test_a_run_takes_one_backward_pass_per_step_and_one_more_forward_pass(
    tiny: Classifier, small_pictures: Tensor
) -> None:
    """Without success, 2 restarts of 7 steps are 14 passes with gradients and 2 without; towards 3 classes it is
    3 times that. An epsilon that always wins ends after the first run."""
    pictures, options = small_pictures[:5], {"steps": 7, "restarts": 2}
    labels = predicted_classes(tiny, pictures)
    assert count_passes("apgd", tiny, pictures, labels=labels, epsilon=1e-6, **options) == (16 * 5, 14 * 5)
    towards = count_passes("apgd", tiny, pictures, labels=labels, epsilon=1e-6, loss="dlr_targeted", **options)
    assert towards == (48 * 5, 42 * 5)
    assert count_passes("apgd", tiny, pictures, labels=labels, epsilon=0.5, **options) == (8 * 5, 7 * 5)
    fewer = count_passes(
        "apgd", tiny, pictures, labels=labels, epsilon=1e-6, loss="dlr_targeted", candidates=1, **options
    )
    assert fewer == (16 * 5, 14 * 5)


def test_checkpoints_follow_the_paper() -> None:
    """For 100 steps, the first is at 22, and the gaps are 19, 16, 13, 10, 7 and then always 6."""
    assert sorted(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert sorted(checkpoints(1)) == [1]


def test_an_unknown_loss_is_refused() -> None:
    """The message lists the known losses."""
    with pytest.raises(BadAttack, match="ce, dlr, dlr_targeted, not 'hinge'"):
        attack_options("apgd", "l2", {"loss": "hinge"})


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.12 / 255), ("l2", 0.1), ("l1", 4.0)])
def test_on_photos_apgd_succeeds_as_often_as_that_of_adversarial_library(
    adv_lib: Any, imagenet: Model, crops: Tensor, norm: Norm, epsilon: float
) -> None:
    """On the middles of 64 photos with 20 steps, there are at least as many successes."""
    pictures, classifier = centre_crops(crops), imagenet.classifier
    labels = predicted_classes(classifier, pictures)
    torch.manual_seed(0)
    theirs, ours = [], []
    for batch, batch_labels in zip(pictures.split(16), labels.split(16), strict=True):
        common = {"norm": ORDER[norm], "n_iter": 20, "loss_function": "ce"}
        adversarial = adv_lib.apgd(LogitsModule(classifier), batch, batch_labels, epsilon, **common)
        theirs.append(predicted_classes(classifier, adversarial) != batch_labels)
        ours.append(
            run_float_attack(ATTACKS["apgd"], classifier, batch, batch_labels, norm=norm, epsilon=epsilon, steps=20)
        )
    won = torch.cat([best.won for best in ours])
    assert 0.2 <= won.float().mean() <= 0.8
    assert won.sum() >= torch.cat(theirs).sum()
