"""The Square attack: what it never leaves, what it never asks for, and how often torchattacks' own succeeds."""

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
"""With which about half of the small pictures are fooled."""


@pytest.fixture(scope="module")
def torchattacks() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs to mend
        return pytest.importorskip("torchattacks", reason="torchattacks is not installed: make oracles")


@pytest.mark.parametrize("norm", BUDGETS)
@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_model_it_stays_within_its_budget_and_comes_near_the_optimum(norm: Norm, targeted: bool) -> None:
    """Of what steepest descent gains (epsilon times the gradient's L1 or L2 norm) it finds a part, blindly.

    With 1500 queries for 768 values that is three quarters in Linf; in L2 a third, since its bumps are smooth and the
    gradient is noise. No pixel ever asked about lies outside the ball or [0, 1].
    """
    two = TwoClasses.draw(rows=4)
    labels = 1 - two.labels if targeted else two.labels
    network = Recording(two.classifier)
    epsilon = BUDGETS[norm] / 4
    best = run_float_attack(
        ATTACKS["square"], network, two.pictures, labels, targeted=targeted, norm=norm, epsilon=epsilon, steps=1500
    )
    for pixels in network.pixels:
        assert (size(pixels - two.pictures, norm) <= epsilon * (1 + 1e-5)).all()
        assert pixels.min() >= 0 and pixels.max() <= 1
    dual = two.weight.abs().sum() if norm == "linf" else two.weight.norm()
    gained = (two.margin - best.loss) / (epsilon * dual)
    assert (gained > (0.75 if norm == "linf" else 0.33)).all()
    assert network.backward == 0


@pytest.mark.parametrize("norm", BUDGETS)
def test_each_query_differs_from_the_best_in_windows_alone(norm: Norm) -> None:
    """Replayed by hand on one row: every query is the best one before it, but for one square (L2: two)."""
    two = TwoClasses.draw(rows=1)
    network = Recording(two.classifier)
    best = run_float_attack(
        ATTACKS["square"], network, two.pictures, two.labels, norm=norm, epsilon=BUDGETS[norm] / 4, steps=200
    )
    signs = torch.where(two.labels == 0, 1.0, -1.0)
    losses = [(signs * (logits[:, 0] - logits[:, 1])).item() for logits in network.logits]
    current, lowest, kept = network.pixels[1], losses[1], [losses[1]]
    for pixels, loss in zip(network.pixels[2:], losses[2:], strict=True):
        changed = (pixels != current).any(dim=1)[0]
        if norm == "linf" and changed.any():
            down, across = changed.any(dim=1).nonzero(), changed.any(dim=0).nonzero()
            assert changed[down[0] : down[-1] + 1, across[0] : across[-1] + 1].float().mean() > 0.4
        if loss < lowest:
            current, lowest = pixels, loss
            kept.append(loss)
    assert len(kept) > 10
    assert kept == sorted(kept, reverse=True)
    assert abs(best.loss.item() - lowest) < 1e-5
    assert torch.equal(best.pictures, current)


@pytest.mark.parametrize("norm", BUDGETS)
def test_it_costs_its_queries_and_no_gradient(tiny: Classifier, small_pictures: Tensor, norm: Norm) -> None:
    """Thirty queries of five rows: 150, none with gradients, though some rows have won before."""
    assert count_passes("square", tiny, small_pictures[:5], norm=norm, steps=30, epsilon=BUDGETS[norm]) == (150, 0)


@pytest.mark.parametrize("norm", BUDGETS)
@pytest.mark.parametrize("targeted", [False, True])
def test_it_succeeds_as_often_as_torchattacks(
    torchattacks: Any, tiny: Classifier, small_pictures: Tensor, norm: Norm, targeted: bool
) -> None:
    """At the same epsilon and 300 queries. Both are chance: two standard deviations, 6 of 40 pictures, are allowed."""
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
def test_rows_do_not_mix(tiny: Classifier, small_pictures: Tensor, norm: Norm) -> None:
    """All rows try the same windows: each row's picture and verdict are those of the row alone."""
    pictures, labels = small_pictures[:6], predicted_classes(tiny, small_pictures[:6])
    run_with = {"norm": norm, "epsilon": BUDGETS[norm], "steps": 100}
    together = run_float_attack(ATTACKS["square"], tiny, pictures, labels, **run_with)
    for row in range(6):
        alone = run_float_attack(ATTACKS["square"], tiny, pictures[row : row + 1], labels[row : row + 1], **run_with)
        assert together.won[row] == alone.won[0]
        torch.testing.assert_close(together.pictures[row], alone.pictures[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", BUDGETS)
def test_the_mask_confines_it(tiny: Classifier, small_pictures: Tensor, norm: Norm) -> None:
    """With a mask of the left half, rows still win, and no bit of the right half is another."""
    assert_the_mask_confines("square", norm, tiny, small_pictures, epsilon=3 * BUDGETS[norm], steps=200)


def test_windows_lie_where_the_model_looks(tiny: Classifier) -> None:
    """A wide picture is resized and its middle cropped: 32 of 36 pixels of a side of 72 are its middle 64.

    Antialiasing reaches two pixels further. A mask narrows the box.
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
def test_boxes_smaller_than_a_window_do(tiny: Classifier, draw: Draw, norm: Norm, box: tuple[int, ...]) -> None:
    """A mask of one pixel, of a strip two pixels high, of nothing at all: nothing else changes, and it ends."""
    mask = torch.zeros(50, 60, dtype=torch.bool)
    mask[box[0] : box[1], box[2] : box[3]] = True
    result = run(adversarial(draw(50, 60), tiny.spec, attack="square", norm=norm, mask=mask, steps=20), tiny)
    assert not ((result.picture != result.origin).any(dim=0) & ~mask).any()


@pytest.mark.parametrize("norm", BUDGETS)
def test_a_seed_gives_the_same_picture(norm: Norm) -> None:
    """Twice the same with one seed, and another with the next."""
    classifier = Classifier(LinearNetwork(2, 16), unnormalised(2, 16))
    pictures = 0.4 + 0.2 * torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    labels = predicted_classes(classifier, pictures)
    one, same, other = (
        run_float_attack(ATTACKS["square"], classifier, pictures, labels, norm=norm, steps=20, seed=seed).pictures
        for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_bump_is_the_papers() -> None:
    """Five wide: rectangles of 2 and 3 rows, n = 2, each value the sum of 1 / j^2 from its distance plus one to 3."""
    high, middle, low = 1 + 1 / 4 + 1 / 9, 1 / 4 + 1 / 9, 1 / 9
    rim, near = [low, middle, middle, middle, low], [low, middle, high, middle, low]
    expected = torch.tensor(
        [rim, near, [-value for value in rim], [-value for value in near], [-value for value in rim]]
    )
    torch.testing.assert_close(bump(5), expected / expected.norm())
    assert bump(1).abs().item() == 1
