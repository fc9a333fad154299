"""Tests the Square attack: its budget, its queries without gradients, and comparison with torchattacks."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import Norm, size
from models.attacks.goal import Goal
from models.attacks.methods.windows import area, bump
from models.attacks.options import ATTACKS
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.preprocessing import preprocessor
from models.run import run
from tests.conftest import Draw
from tests.models.attacks.float_attack import LogitsModule, predicted_classes, run_float_attack
from tests.models.attacks.minimal import TwoClasses, assert_the_mask_confines, count_passes
from tests.networks import LinearNetwork, Recording, unnormalised

BUDGETS: dict[Norm, float] = {"linf": 24 / 255, "l2": 4.0}
"""Budgets at which about half of the small pictures are fooled."""


@pytest.fixture(scope="module")
def torchattacks() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of the other library are not ours to fix
        return pytest.importorskip("torchattacks", reason="torchattacks is not installed: make oracles")


@pytest.mark.parametrize("norm", BUDGETS)
@pytest.mark.parametrize("targeted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_on_a_linear_model_square_stays_in_its_budget_and_approaches_the_optimum(norm: Norm, targeted: bool) -> None:
    """Without gradients it gains a part of the optimum, epsilon times the L1 or L2 norm of the gradient.

    With 1500 queries for 768 values it is three quarters in Linf, and a third in L2, since its bumps are smooth and the
    gradient is noise. All queries are within the budget and [0, 1].
    """
    problem = TwoClasses.draw(rows=4)
    labels = 1 - problem.labels if targeted else problem.labels
    network = Recording(problem.classifier)
    epsilon = BUDGETS[norm] / 4
    best = run_float_attack(
        ATTACKS["square"], network, problem.pictures, labels, targeted=targeted, norm=norm, epsilon=epsilon, steps=1500
    )
    for pixels in network.pixels:
        assert (size(pixels - problem.pictures, norm) <= epsilon * (1 + 1e-5)).all()
        assert pixels.min() >= 0 and pixels.max() <= 1
    dual = problem.weight.abs().sum() if norm == "linf" else problem.weight.norm()
    relative_gain = (problem.margin - best.loss) / (epsilon * dual)
    assert (relative_gain > (0.75 if norm == "linf" else 0.33)).all()
    assert network.backward == 0


@pytest.mark.parametrize("norm", BUDGETS)
def test_every_query_differs_from_the_best_only_in_windows(norm: Norm) -> None:
    """The queries of one row are replayed: each is the best picture before it, changed in one square (in L2 in two)."""
    problem = TwoClasses.draw(rows=1)
    network = Recording(problem.classifier)
    best = run_float_attack(
        ATTACKS["square"], network, problem.pictures, problem.labels, norm=norm, epsilon=BUDGETS[norm] / 4, steps=200
    )
    signs = torch.where(problem.labels == 0, 1.0, -1.0)
    losses = [(signs * (logits[:, 0] - logits[:, 1])).item() for logits in network.logits]
    current, lowest, accepted_losses = network.pixels[1], losses[1], [losses[1]]
    for pixels, loss in zip(network.pixels[2:], losses[2:], strict=True):
        changed = (pixels != current).any(dim=1)[0]
        if norm == "linf" and changed.any():
            down, across = changed.any(dim=1).nonzero(), changed.any(dim=0).nonzero()
            assert changed[down[0] : down[-1] + 1, across[0] : across[-1] + 1].float().mean() > 0.4
        if loss < lowest:
            current, lowest = pixels, loss
            accepted_losses.append(loss)
    assert len(accepted_losses) > 10
    assert accepted_losses == sorted(accepted_losses, reverse=True)
    assert abs(best.loss.item() - lowest) < 1e-5
    assert torch.equal(best.pictures, current)


@pytest.mark.parametrize("norm", BUDGETS)
def test_a_run_takes_one_forward_pass_per_step_and_no_gradients(
    tiny: Classifier, small_pictures: Tensor, norm: Norm
) -> None:
    """Thirty queries of five rows are 150 passes without gradients; rows that have won are counted as well."""
    assert count_passes("square", tiny, small_pictures[:5], norm=norm, steps=30, epsilon=BUDGETS[norm]) == (150, 0)


@pytest.mark.parametrize("norm", BUDGETS)
@pytest.mark.parametrize("targeted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_square_succeeds_as_often_as_that_of_torchattacks(
    torchattacks: Any, tiny: Classifier, small_pictures: Tensor, norm: Norm, targeted: bool
) -> None:
    """Epsilon and 300 queries are the same. Both are random, so two standard deviations, 6 of 40, are allowed."""
    labels = predicted_classes(tiny, small_pictures)
    if targeted:
        labels = (labels + 1) % 4
    epsilon = BUDGETS[norm] * (1.6 if targeted else 1)
    names = {"linf": "Linf", "l2": "L2"}
    attack = torchattacks.Square(LogitsModule(tiny).eval(), norm=names[norm], eps=epsilon, n_queries=300, seed=0)
    if targeted:
        attack.set_mode_targeted_by_label(quiet=True)
        attack.targeted = True
    theirs = (predicted_classes(tiny, attack(small_pictures, labels)) == labels) == targeted
    ours = run_float_attack(
        ATTACKS["square"], tiny, small_pictures, labels, targeted=targeted, norm=norm, epsilon=epsilon, steps=300
    ).won
    assert 8 <= ours.sum() <= 36
    assert ours.sum() >= theirs.sum() - 6


@pytest.mark.parametrize("norm", BUDGETS)
def test_rows_of_a_batch_do_not_affect_each_other(tiny: Classifier, small_pictures: Tensor, norm: Norm) -> None:
    """All rows use the same windows, and picture and success of a row are the same as alone."""
    pictures, labels = small_pictures[:6], predicted_classes(tiny, small_pictures[:6])
    options = {"norm": norm, "epsilon": BUDGETS[norm], "steps": 100}
    together = run_float_attack(ATTACKS["square"], tiny, pictures, labels, **options)
    for row in range(6):
        alone = run_float_attack(ATTACKS["square"], tiny, pictures[row : row + 1], labels[row : row + 1], **options)
        assert together.won[row] == alone.won[0]
        torch.testing.assert_close(together.pictures[row], alone.pictures[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", BUDGETS)
def test_only_pixels_of_the_mask_change(tiny: Classifier, small_pictures: Tensor, norm: Norm) -> None:
    """With a mask of the left half, rows still win and the right half is exactly unchanged."""
    assert_the_mask_confines("square", norm, tiny, small_pictures, epsilon=3 * BUDGETS[norm], steps=200)


def test_windows_lie_within_the_crop_and_the_mask(tiny: Classifier) -> None:
    """Preprocessing crops 32 of 36 pixels, so of a picture of height 72 it uses the middle 64 x 64 pixels.

    Antialiasing reaches two pixels further. A mask makes the box smaller.
    """
    pictures, labels = torch.full((1, 3, 72, 200), 0.5), torch.zeros(1, dtype=torch.long)
    top, left, height, width = area(pictures, Goal(labels, False, preprocessor(tiny.spec)))
    assert abs(top - 4) <= 2 and abs(height - 64) <= 4
    assert abs(left - 68) <= 2 and abs(width - 64) <= 4
    mask = torch.zeros(1, 1, 72, 200)
    mask[..., 10:20, 80:150] = 1
    goal = Goal(labels, False, preprocessor(tiny.spec), mask=mask)
    assert area(pictures, goal)[:3] == (10, 80, 10)


@pytest.mark.parametrize("norm", BUDGETS)
@pytest.mark.parametrize("box", [(0, 1, 0, 1), (3, 5, 10, 40), (0, 0, 0, 0)], ids=["a pixel", "a strip", "nothing"])
def test_masks_smaller_than_a_window_are_allowed(
    tiny: Classifier, draw: Draw, norm: Norm, box: tuple[int, ...]
) -> None:
    """The mask is one pixel, a strip two pixels high, or empty; nothing outside changes, and the attack ends."""
    mask = torch.zeros(50, 60, dtype=torch.bool)
    mask[box[0] : box[1], box[2] : box[3]] = True
    result = run(adversarial(draw(50, 60), tiny.spec, attack="square", norm=norm, mask=mask, steps=20), tiny)
    assert not ((result.picture != result.origin).any(dim=0) & ~mask).any()


@pytest.mark.parametrize("norm", BUDGETS)
def test_the_picture_depends_on_the_seed(norm: Norm) -> None:
    """The same seed gives the same picture twice, and another seed another one."""
    classifier = Classifier(LinearNetwork(2, 16), unnormalised(2, 16))
    pictures = 0.4 + 0.2 * torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    labels = predicted_classes(classifier, pictures)
    one, again, other = (
        run_float_attack(ATTACKS["square"], classifier, pictures, labels, norm=norm, steps=20, seed=seed).pictures
        for seed in (0, 0, 1)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_bump_follows_the_paper() -> None:
    """A bump of width 5 has halves of 2 and 3 rows; a value sums 1 / j^2 for j from its distance + 1 to 3."""
    high, middle, low = 1 + 1 / 4 + 1 / 9, 1 / 4 + 1 / 9, 1 / 9
    rim, near = [low, middle, middle, middle, low], [low, middle, high, middle, low]
    expected = torch.tensor(
        [rim, near, [-value for value in rim], [-value for value in near], [-value for value in rim]]
    )
    torch.testing.assert_close(bump(5), expected / expected.norm())
    assert bump(1).abs().item() == 1
