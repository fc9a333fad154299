"""Runs a float attack without the search on the lattice, at the model's input size, as other libraries do."""

from typing import Any

import torch
from torch import Tensor, nn

from models.attacks.geometry import by
from models.attacks.goal import Best, Goal
from models.attacks.options import Attack
from models.classifier import Classifier
from models.query import Task
from models.run import run
from tests.networks import Counting


def run_float_attack(
    attack: Attack,
    network: Classifier | Counting,
    pictures: Tensor,
    labels: Tensor,
    *,
    targeted: bool = False,
    norm: str | None = None,
    confidence: float = 0.0,
    mask: Tensor | None = None,
    **options: Any,
) -> Best:
    """Return the best results for pictures [n, 3, s, s]; `labels` are the original classes, or the targets.

    `norm` is passed to attacks that take one, and it measures the change of minimal attacks.
    """
    goal = Goal(labels, targeted, lambda pixels: pixels, confidence=confidence, mask=mask)
    used_norm = norm or attack.norms[0]
    if "norm" in attack.defaults:
        options["norm"] = used_norm

    def task() -> Task[Best]:
        first = yield from goal.look(pictures, gradients=False)
        best = Best(goal, pictures, first, measure=by(used_norm) if attack.minimal else None)
        yield from attack.run(pictures, goal, best, **options)
        return best

    return run(task(), network)


class LogitsModule(nn.Module):
    """A classifier as other libraries expect it: a module from pixels in [0, 1] to logits."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pixels: Tensor) -> Tensor:
        return self.classifier.logits(pixels)


def predicted_classes(classifier: Classifier, pictures: Tensor) -> Tensor:
    """Return the most probable class of every picture, [n]."""
    with torch.no_grad():
        return classifier.logits(pictures).argmax(dim=1)
