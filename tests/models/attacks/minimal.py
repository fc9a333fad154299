"""What the tests of minimal attacks share: a linear model of two classes, oracles, and what all of them must keep."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.attacks.geometry import Norm, size
from models.attacks.options import ATTACKS
from models.classifier import Classifier
from tests.models.attacks.float_attack import LogitsModule, predicted_classes, run_float_attack
from tests.networks import Counting, LinearNetwork, unnormalised

Oracle = Callable[[LogitsModule, Tensor, Tensor], Tensor]
"""Another library's attack: module, pictures and labels (to leave, or targets) -> adversarial pictures."""


@dataclass(frozen=True)
class TwoClasses:
    """A linear model, pictures far from black and white, the classes it sees, and what is known of each margin."""

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
        """The same with margins of this share, by each row's own brightness along the gradient."""
        # Moving by t along the gradient changes the margin by t |gradient|^2.
        sign = torch.where(self.labels == 0, -1.0, 1.0)
        along = sign * (1 - share) * self.margin / self.weight.square().sum()
        moved = self.pictures + (along[:, None] * self.weight).reshape(self.pictures.shape)
        return TwoClasses(self.classifier, moved, self.labels, share * self.margin, self.weight)

    def fewest_pixels(self) -> Tensor:
        """How many pixels cross the border at least: those of most gain, each channel to black or white as it helps."""
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
    """How far ours and the oracle's pictures are from the start, per row; infinite where they do not win.

    Sixteen rows at a time. Without `targets` the classes to leave are those the classifier sees.
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
        won = (predicted_classes(classifier, adversarial) == labels) == (targets is not None)
        theirs.append(torch.where(won, size(adversarial - batch, norm), torch.inf))
    return torch.cat(ours), torch.cat(theirs)


def assert_no_worse(ours: Tensor, theirs: Tensor) -> None:
    """As many successes at least, and a median over all rows (infinite where none) of 1.02 times theirs at most."""
    assert ours.isfinite().sum() >= theirs.isfinite().sum()
    assert ours.isfinite().float().mean() > 0.5
    assert ours.median() <= 1.02 * theirs.median()


def assert_the_mask_confines(attack: str, norm: Norm, classifier: Classifier, pictures: Tensor, **options: Any) -> None:
    """With a mask of the left half, rows still win, and no bit of the right half is another."""
    side = pictures.shape[-1]
    mask = torch.zeros(1, 1, side, side)
    mask[..., : side // 2] = 1
    best = run_float_attack(
        ATTACKS[attack], classifier, pictures, predicted_classes(classifier, pictures), norm=norm, mask=mask, **options
    )
    assert best.won.any()
    assert torch.equal(best.pictures[..., side // 2 :], pictures[..., side // 2 :])
    assert best.pictures.min() >= 0 and best.pictures.max() <= 1


def count_passes(attack: str, classifier: Classifier, pictures: Tensor, **options: Any) -> tuple[int, int]:
    """Rows asked about, forward and backward, after the first look that every attack is given."""
    counting = Counting(classifier)
    labels = options.pop("labels", predicted_classes(classifier, pictures))
    run_float_attack(ATTACKS[attack], counting, pictures, labels, **options)
    return counting.forward - len(pictures), counting.backward


def centre_crops(crops: Tensor) -> Tensor:
    """The middle 112 x 112 of each crop: MobileNetV2 takes any size, and a quarter of the time for these."""
    return crops[..., 56:168, 56:168]
