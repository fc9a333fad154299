"""Shared by the tests of attacks: a linear model of two classes, and checks that several attacks share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.attacks.geometry import Norm, size
from models.attacks.options import ATTACKS
from models.classifier import Classifier
from tests.models.attacks.fallible import BASELINES
from tests.models.attacks.float_attack import LogitsModule, predicted_classes, run_float_attack
from tests.networks import Counting, LinearNetwork, unnormalised

Oracle = Callable[[LogitsModule, Tensor, Tensor], Tensor]
"""An attack of another library: module, pictures and labels (the original classes or the targets) -> pictures."""


@dataclass(frozen=True)
class TwoClasses:
    """A linear model, pictures far from black and white, their predicted classes, and their margins."""

    classifier: Classifier
    pictures: Tensor
    labels: Tensor
    margin: Tensor
    weight: Tensor

    @staticmethod
    def draw(rows: int = 8, side: int = 16) -> "TwoClasses":
        network = LinearNetwork(2, side)
        classifier = Classifier(network, unnormalised(2, side))
        weight = network.layer.weight.detach()
        pictures = 0.4 + 0.2 * torch.rand(rows, 3, side, side, generator=torch.Generator().manual_seed(1))
        logits = classifier.logits(pictures)
        margin = (logits[:, 0] - logits[:, 1]).abs()
        return TwoClasses(classifier, pictures, logits.argmax(dim=1), margin, weight[0] - weight[1])

    def nearer(self, share: float) -> "TwoClasses":
        """Return the same with margins of this share, by moving every picture along the gradient."""
        # Moving by t along the gradient changes the margin by t |gradient|^2.
        sign = torch.where(self.labels == 0, -1.0, 1.0)
        along = sign * (1 - share) * self.margin / self.weight.square().sum()
        moved = self.pictures + (along[:, None] * self.weight).reshape(self.pictures.shape)
        return TwoClasses(self.classifier, moved, self.labels, share * self.margin, self.weight)

    def fewest_pixels(self) -> Tensor:
        """Return the fewest pixels that cross the border: those of most gain, each channel at black or white."""
        uphill = torch.where(self.labels == 0, 1.0, -1.0)[:, None] * self.weight
        values = self.pictures.flatten(1)
        gains = (uphill * torch.where(uphill > 0, values, values - 1)).reshape(len(values), 3, -1).sum(dim=1)
        gained = gains.sort(dim=1, descending=True).values.cumsum(dim=1)
        return (gained <= self.margin[:, None]).sum(dim=1) + 1


def compare_with_oracle(
    attack: str,
    norm: Norm,
    classifier: Classifier,
    pictures: Tensor,
    oracle: Oracle,
    *,
    targets: Tensor | None = None,
    **options: Any,
) -> tuple[Tensor, Tensor]:
    """Return the sizes of our changes and of the oracle's, per row; infinite where they do not win.

    Runs sixteen rows at a time. Without `targets` the attack is untargeted, away from the predicted classes.
    """
    ours, theirs = [], []
    predicted = predicted_classes(classifier, pictures)
    all_labels = (predicted if targets is None else targets).split(16)
    for batch, labels in zip(pictures.split(16), all_labels, strict=True):
        best = run_float_attack(
            ATTACKS[attack], classifier, batch, labels, targeted=targets is not None, norm=norm, **options
        )
        ours.append(best.size)
        adversarial = oracle(LogitsModule(classifier), batch, labels)
        successful = (predicted_classes(classifier, adversarial) == labels) == (targets is not None)
        theirs.append(torch.where(successful, size(adversarial - batch, norm), torch.inf))
    return torch.cat(ours), torch.cat(theirs)


def assert_no_worse(ours: Tensor, theirs: Tensor) -> None:
    """Check that we have at least as many successes and a median (infinite where none) of at most 1.02 times theirs."""
    assert ours.isfinite().sum() >= theirs.isfinite().sum()
    assert ours.isfinite().float().mean() > 0.5
    assert ours.median() <= 1.02 * theirs.median()


def assert_the_mask_confines(attack: str, norm: Norm, classifier: Classifier, pictures: Tensor, **options: Any) -> None:
    """Check that with a mask of the left half some rows still win, and the right half is exactly unchanged."""
    side = pictures.shape[-1]
    mask = torch.zeros(1, 1, side, side)
    mask[..., : side // 2] = 1
    best = run_float_attack(
        ATTACKS[attack], classifier, pictures, predicted_classes(classifier, pictures), norm=norm, mask=mask, **options
    )
    assert best.won.any() or attack in BASELINES
    assert torch.equal(best.pictures[..., side // 2 :], pictures[..., side // 2 :])
    assert best.pictures.min() >= 0 and best.pictures.max() <= 1


def count_passes(attack: str, classifier: Classifier, pictures: Tensor, **options: Any) -> tuple[int, int]:
    """Return the forward and backward passes of an attack, without the first look that every attack gets."""
    counting = Counting(classifier)
    labels = options.pop("labels", predicted_classes(classifier, pictures))
    run_float_attack(ATTACKS[attack], counting, pictures, labels, **options)
    return counting.forward - len(pictures), counting.backward


def centre_crops(crops: Tensor) -> Tensor:
    """Return the middle 112 x 112 of every crop: MobileNetV2 takes any size, and these take a quarter of the time."""
    return crops[..., 56:168, 56:168]
