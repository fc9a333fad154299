"""Auto-PGD: a linear model's optimum in each norm, and adversarial-library's success and loss on bent ones."""

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
"""With which between 20 and 80 % of the small pictures are fooled."""
ORDER: dict[Norm, float] = {"linf": math.inf, "l2": 2, "l1": 1}


def final(loss: str, logits: Tensor, labels: Tensor, *, targeted: bool) -> Tensor:
    """What an attack minimises: for a target, adversarial-library's ratio is of four logits."""
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
def test_it_reaches_the_optimum_of_a_linear_model(
    norm: Norm, epsilon: float, dual: Norm, targeted: bool, loss: str
) -> None:
    """Far from black and white the margin falls by epsilon times the dual norm of its gradient; to 1 %, in L1 to 2 %.

    Of two classes all losses are the margin, and both goals are one. In L1 the optimum moves the one largest value.
    """
    two = TwoClasses.draw()
    labels = 1 - two.labels if targeted else two.labels
    best = run_float_attack(
        ATTACKS["apgd"], two.classifier, two.pictures, labels, targeted=targeted, norm=norm, epsilon=epsilon, loss=loss
    )
    steepness = size(two.weight.reshape(1, 3, 16, 16), dual)
    gained = (two.margin - best.loss) / (epsilon * steepness)
    assert (gained > (0.98 if norm == "l1" else 0.99)).all() and (gained < 1.001).all()
    assert (size(best.pictures - two.pictures, norm) <= epsilon * (1 + 1e-5)).all()


@pytest.mark.parametrize("loss", ["ce", "dlr"])
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("norm", BUDGETS)
def test_it_is_no_weaker_than_adversarial_librarys(
    adv_lib: Any, tiny: Classifier, small_pictures: Tensor, norm: Norm, targeted: bool, loss: str
) -> None:
    """At the same epsilon and 100 steps: as many successes at least, and a mean final loss that is no higher.

    Both start at random: 0.01 is allowed, one picture of forty in another valley.
    """
    labels = predicted_classes(tiny, small_pictures)
    if targeted:
        labels = (labels + 1) % 4
    epsilon = BUDGETS[norm] * (1.8 if targeted else 1)
    torch.manual_seed(0)
    common = {"norm": ORDER[norm], "targeted": targeted, "n_iter": 100, "loss_function": loss}
    adversarial = adv_lib.apgd(LogitsModule(tiny), small_pictures, labels, epsilon, **common)
    lowest = adv_lib.apgd(LogitsModule(tiny), small_pictures, labels, epsilon, best_loss=True, **common)
    theirs = (predicted_classes(tiny, adversarial) == labels) == targeted
    network = Recording(tiny)
    best = run_float_attack(
        ATTACKS["apgd"], network, small_pictures, labels, targeted=targeted, norm=norm, epsilon=epsilon, loss=loss
    )
    looks = [final(loss, logits, labels, targeted=targeted) for logits in network.logits]
    our_loss = torch.stack(looks).amin(dim=0)
    their_loss = final(loss, tiny.logits(lowest), labels, targeted=targeted)
    assert 0.2 <= best.won.float().mean() <= 0.8
    assert best.won.sum() >= theirs.sum()
    assert our_loss.mean() <= their_loss.mean() + 0.01


@pytest.mark.parametrize("norm", BUDGETS)
def test_towards_each_class_it_is_no_weaker_than_adversarial_librarys(
    adv_lib: Any, tiny: Classifier, small_pictures: Tensor, norm: Norm
) -> None:
    """All three other classes, 40 steps each: as many successes at least."""
    labels = predicted_classes(tiny, small_pictures)
    torch.manual_seed(0)
    adversarial = adv_lib.apgd_targeted(
        LogitsModule(tiny), small_pictures, labels, BUDGETS[norm], norm=ORDER[norm], n_iter=40
    )
    theirs = predicted_classes(tiny, adversarial) != labels
    run_with = {"norm": norm, "epsilon": BUDGETS[norm], "steps": 40, "loss": "dlr_targeted"}
    ours = run_float_attack(ATTACKS["apgd"], tiny, small_pictures, labels, **run_with).won
    assert 0.2 <= ours.float().mean() <= 0.8
    assert ours.sum() >= theirs.sum()


def test_the_targeted_ratio_reaches_targets(tiny: Classifier, small_pictures: Tensor) -> None:
    """Towards the next class, as many successes as with the cross-entropy, but for a picture or two."""
    targets = (predicted_classes(tiny, small_pictures) + 1) % 4
    run_with = {"targeted": True, "epsilon": 12 / 255, "steps": 40}
    ratio = run_float_attack(ATTACKS["apgd"], tiny, small_pictures, targets, loss="dlr_targeted", **run_with).won
    entropy = run_float_attack(ATTACKS["apgd"], tiny, small_pictures, targets, loss="ce", **run_with).won
    assert ratio.sum() >= entropy.sum() - 2 > 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("norm", BUDGETS)
def test_rows_do_not_mix(tiny: Classifier, small_pictures: Tensor, norm: Norm, loss: str) -> None:
    """Checkpoints, restarts and who has won are each row's own: its verdict and loss are those of the row alone."""
    pictures, labels = small_pictures[:6], predicted_classes(tiny, small_pictures[:6])
    run_with = {"norm": norm, "epsilon": BUDGETS[norm], "steps": 15, "restarts": 2, "loss": loss}
    together = run_float_attack(ATTACKS["apgd"], tiny, pictures, labels, **run_with)
    for row in range(6):
        alone = run_float_attack(ATTACKS["apgd"], tiny, pictures[row : row + 1], labels[row : row + 1], **run_with)
        assert together.won[row] == alone.won[0]
        torch.testing.assert_close(together.loss[row], alone.loss[0], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("norm", BUDGETS)
def test_the_mask_confines_it(tiny: Classifier, small_pictures: Tensor, norm: Norm) -> None:
    """With a mask of the left half, rows still win, and no bit of the right half is another, random start or not."""
    assert_the_mask_confines("apgd", norm, tiny, small_pictures, epsilon=10 * BUDGETS[norm], steps=20)


def test_it_costs_a_pass_with_gradients_per_step_and_one_without_per_run(
    tiny: Classifier, small_pictures: Tensor
) -> None:
    """Epsilon too small to win: 2 restarts of 7 steps are 14 passes with gradients and 2 without, towards 3 classes 3
    times that. Epsilon that always wins: the first run is the last."""
    pictures, run_with = small_pictures[:5], {"steps": 7, "restarts": 2}
    labels = predicted_classes(tiny, pictures)
    assert count_passes("apgd", tiny, pictures, labels=labels, epsilon=1e-6, **run_with) == (16 * 5, 14 * 5)
    towards = count_passes("apgd", tiny, pictures, labels=labels, epsilon=1e-6, loss="dlr_targeted", **run_with)
    assert towards == (48 * 5, 42 * 5)
    assert count_passes("apgd", tiny, pictures, labels=labels, epsilon=0.5, **run_with) == (8 * 5, 7 * 5)
    fewer = count_passes(
        "apgd", tiny, pictures, labels=labels, epsilon=1e-6, loss="dlr_targeted", candidates=1, **run_with
    )
    assert fewer == (16 * 5, 14 * 5)


def test_its_checkpoints_are_the_papers() -> None:
    """Of 100 steps: after 22, then gaps of 19, 16, 13, 10, 7 and from there 6."""
    assert sorted(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert sorted(checkpoints(1)) == [1]


def test_a_loss_that_is_none_is_named() -> None:
    """The message tells which there are."""
    with pytest.raises(BadAttack, match="ce, dlr, dlr_targeted, not 'hinge'"):
        attack_options("apgd", "l2", {"loss": "hinge"})


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.12 / 255), ("l2", 0.1), ("l1", 4.0)])
def test_on_photos_it_succeeds_as_often_as_adversarial_librarys(
    adv_lib: Any, imagenet: Model, crops: Tensor, norm: Norm, epsilon: float
) -> None:
    """The middles of 64 photos, 20 steps: as many successes at least."""
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
