"""Tests MI-FGSM: the optimum of a linear model, and equality with torchattacks."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.options import ATTACKS
from models.classifier import Classifier
from models.query import Answer, Query
from tests.models.attacks.float_attack import LogitsModule, predicted_classes, run_float_attack
from tests.models.attacks.minimal import TwoClasses, assert_the_mask_confines, count_passes
from tests.networks import Counting

EPSILON = 6 / 255


class LastQuery(Counting):
    """Records the pixels of the last query, where the attack ended (which need not be its best picture)."""

    def answer(self, queries: list[Query]) -> list[Answer]:
        self.pixels = queries[0].pixels.clone()
        return super().answer(queries)


@pytest.fixture(scope="module")
def torchattacks() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of the other library are not ours to fix
        return pytest.importorskip("torchattacks", reason="torchattacks is not installed: make oracles")


@pytest.mark.parametrize("momentum", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("targeted", [False, True])
def test_mi_fgsm_agrees_with_torchattacks(
    torchattacks: Any, tiny: Classifier, small_pictures: Tensor, momentum: float, targeted: bool
) -> None:
    """From the same start with the same steps, every pixel of the last picture agrees to 1e-5."""
    labels = predicted_classes(tiny, small_pictures)
    if targeted:
        labels = (labels + 1) % 4
    theirs = torchattacks.MIFGSM(LogitsModule(tiny).eval(), eps=EPSILON, alpha=EPSILON / 10, steps=10, decay=momentum)
    if targeted:
        theirs.set_mode_targeted_by_label(quiet=True)
    last = LastQuery(tiny)
    run_float_attack(
        ATTACKS["mi_fgsm"], last, small_pictures, labels, targeted=targeted, epsilon=EPSILON, momentum=momentum
    )
    torch.testing.assert_close(last.pixels, theirs(small_pictures, labels), rtol=0, atol=1e-5)


@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_model_every_value_changes_by_epsilon(targeted: bool) -> None:
    """The margin falls by epsilon times the L1 norm of its gradient, targeted or not, since there are two classes."""
    problem = TwoClasses.draw()
    labels = 1 - problem.labels if targeted else problem.labels
    best = run_float_attack(
        ATTACKS["mi_fgsm"], problem.classifier, problem.pictures, labels, targeted=targeted, epsilon=EPSILON
    )
    uphill = torch.where(problem.labels == 0, 1.0, -1.0)[:, None] * problem.weight.sign()
    expected = problem.pictures.flatten(1) - EPSILON * uphill
    torch.testing.assert_close(best.pictures.flatten(1), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(best.loss, problem.margin - EPSILON * problem.weight.abs().sum(), rtol=1e-4, atol=1e-4)


def test_a_run_takes_one_backward_pass_per_step_and_one_more_forward_pass(
    tiny: Classifier, small_pictures: Tensor
) -> None:
    """Seven steps of five rows are 35 passes with gradients and five without."""
    assert count_passes("mi_fgsm", tiny, small_pictures[:5], steps=7) == (40, 35)


def test_only_pixels_of_the_mask_change(tiny: Classifier, small_pictures: Tensor) -> None:
    """With a mask of the left half, rows still win and the right half is exactly unchanged."""
    assert_the_mask_confines("mi_fgsm", "linf", tiny, small_pictures, epsilon=0.1)


def test_rows_of_a_batch_do_not_affect_each_other(tiny: Classifier, small_pictures: Tensor) -> None:
    """Picture and success of a row are the same as alone."""
    pictures, labels = small_pictures[:6], predicted_classes(tiny, small_pictures[:6])
    together = run_float_attack(ATTACKS["mi_fgsm"], tiny, pictures, labels, epsilon=EPSILON)
    for row in range(6):
        alone = run_float_attack(
            ATTACKS["mi_fgsm"], tiny, pictures[row : row + 1], labels[row : row + 1], epsilon=EPSILON
        )
        assert together.won[row] == alone.won[0]
        torch.testing.assert_close(together.pictures[row], alone.pictures[0], rtol=0, atol=1e-5)
