"""The sides of a run's split as the service would show them, and how candidates do on validation."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from training.data.loading.batches import Batch, evenly_spaced, serving_batches
from training.learner import Learner
from training.metrics import Metrics, gather, measure
from training.prepare import Prepared

ATTACKED = 320
"""Photos of validation that a robust run attacks after each epoch, in ATTACK_STEPS steps."""
ATTACK_STEPS = 5


class Sides:
    """Batches of each side; of a team every process has its share, and figures are those of all."""

    def __init__(self, ready: Prepared) -> None:
        self.ready, self.group, self.recipe = ready, ready.group, ready.options.recipe
        self.kept: dict[str, DataLoader[Batch]] = {}

    def batches(self, side: str) -> DataLoader[Batch]:
        """This process's share of `train`, `validation`, `test`, or of what is `attacked`."""
        photos = self.ready.split.validation if side == "attacked" else self.ready.split.by_name[side]
        if side == "attacked":
            photos = tuple(photos[index] for index in evenly_spaced(ATTACKED, len(photos)))
        return serving_batches(
            self.ready.labelled(photos[self.group.rank :: self.group.size]),
            self.ready.spec,
            batch_size=self.ready.share,
            workers=self.ready.options.workers,
        )

    def again(self, side: str) -> DataLoader[Batch]:
        """The same from a loader that is kept, with its workers."""
        if side not in self.kept:
            self.kept[side] = self.batches(side)
        return self.kept[side]

    def gathered(self, scores: Callable[[Tensor], Tensor], batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
        """Scores and labels of a side, in order, from all processes."""
        rows, labels = gather(scores, batches, self.group.device)
        return self.group.collect(rows), self.group.collect(labels)

    def validate(self, learner: Learner) -> dict[str, dict[str, float]]:
        """`accuracy`, `balanced_accuracy` and `nll` of each candidate; of a robust run under attack, with both
        accuracies without an attack (`clean`, `clean_balanced_accuracy`) beside."""
        return {name: self.figures(learner, network) for name, network in learner.candidates().items()}

    def figures(self, learner: Learner, network: nn.Module) -> dict[str, float]:
        """Those of one network."""
        self.group.align(network)

        def scores(pixels: Tensor) -> Tensor:
            return learner.scores(network, pixels)

        classes = self.ready.spec.classes
        clean = measure(*self.gathered(scores, self.again("validation")), classes)
        if not self.recipe.attack_steps:
            return _figures(clean)
        attacked = measure(*self._attacked(learner, network), classes)
        return {
            **_figures(attacked),
            "clean": clean.accuracy,
            "clean_balanced_accuracy": clean.balanced_accuracy,
        }

    def _attacked(self, learner: Learner, network: nn.Module) -> tuple[Tensor, Tensor]:
        rows, wanted = [], []
        for pixels, labels in self.again("attacked"):
            shown, labels = pixels.to(self.group.device), labels.to(self.group.device)
            moved = learner.attack(network, shown, labels, epsilon=self.recipe.epsilon, steps=ATTACK_STEPS)
            with torch.no_grad():
                rows.append(learner.scores(network, moved).cpu())
            wanted.append(labels.cpu())
        return self.group.collect(torch.cat(rows)), self.group.collect(torch.cat(wanted))


def _figures(metrics: Metrics) -> dict[str, float]:
    return {"accuracy": metrics.accuracy, "balanced_accuracy": metrics.balanced_accuracy, "nll": metrics.nll}
