"""MI-FGSM: the corner of a linear model's ball, and torchattacks' own run, pixel for pixel."""

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


class Last(Counting):
    """Keeps the pixels of the last question: where the attack ended, whatever was best on the way."""

    def answer(self, queries: list[Query]) -> list[Answer]:
        self.pixels = queries[0].pixels.clone()
        return super().answer(queries)


@pytest.fixture(scope="module")
def torchattacks() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs to mend
        return pytest.importorskip("torchattacks", reason="torchattacks is not installed: make oracles")


@pytest.mark.parametrize("momentum", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("targeted", [False, True])
def test_it_is_torchattacks(
    torchattacks: Any, tiny: Classifier, small_pictures: Tensor, momentum: float, targeted: bool
) -> None:
    """From the same start the same steps: every pixel of the last picture agrees to 1e-5."""
    labels = predicted_classes(tiny, small_pictures)
    if targeted:
        labels = (labels + 1) % 4
    theirs = torchattacks.MIFGSM(LogitsModule(tiny).eval(), eps=EPSILON, alpha=EPSILON / 10, steps=10, decay=momentum)
    if targeted:
        theirs.set_mode_targeted_by_label(quiet=True)
    last = Last(tiny)
    run_float_attack(
        ATTACKS["mi_fgsm"], last, small_pictures, labels, targeted=targeted, epsilon=EPSILON, momentum=momentum
    )
    torch.testing.assert_close(last.pixels, theirs(small_pictures, labels), rtol=0, atol=1e-5)


@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_model_every_value_ends_epsilon_away(targeted: bool) -> None:
    """The margin falls by epsilon times the L1 norm of its gradient; of two classes, both goals are one."""
    two = TwoClasses.draw()
    labels = 1 - two.labels if targeted else two.labels
    best = run_float_attack(
        ATTACKS["mi_fgsm"], two.classifier, two.pictures, labels, targeted=targeted, epsilon=EPSILON
    )
    uphill = torch.where(two.labels == 0, 1.0, -1.0)[:, None] * two.weight.sign()
    expected = two.pictures.flatten(1) - EPSILON * uphill
    torch.testing.assert_close(best.pictures.flatten(1), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(best.loss, two.margin - EPSILON * two.weight.abs().sum(), rtol=1e-4, atol=1e-4)


def test_it_costs_a_pass_with_gradients_per_step_and_one_without(tiny: Classifier, small_pictures: Tensor) -> None:
    """Seven steps of five rows: 35 with gradients, five more without."""
    assert count_passes("mi_fgsm", tiny, small_pictures[:5], steps=7) == (40, 35)


def test_the_mask_confines_it(tiny: Classifier, small_pictures: Tensor) -> None:
    """With a mask of the left half, rows still win, and no bit of the right half is another."""
    assert_the_mask_confines("mi_fgsm", "linf", tiny, small_pictures, epsilon=0.1)


def test_rows_do_not_mix(tiny: Classifier, small_pictures: Tensor) -> None:
    """Each row's picture and verdict are those of the row alone."""
    pictures, labels = small_pictures[:6], predicted_classes(tiny, small_pictures[:6])
    together = run_float_attack(ATTACKS["mi_fgsm"], tiny, pictures, labels, epsilon=EPSILON)
    for row in range(6):
        alone = run_float_attack(
            ATTACKS["mi_fgsm"], tiny, pictures[row : row + 1], labels[row : row + 1], epsilon=EPSILON
        )
        assert together.won[row] == alone.won[0]
        torch.testing.assert_close(together.pictures[row], alone.pictures[0], rtol=0, atol=1e-5)
