"""The splits of a run in batches, as the service would show them, and figures of candidates on validation."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from training.data.loading.batches import Batch, evenly_spaced, serving_batches
from training.learner import Learner
from training.metrics import Metrics, gather, measure
from training.options import TrainingOptions
from training.prepare import PreparedRun

ATTACKED = 320
"""Number of photos of the validation split that a robust run attacks after each epoch."""
ATTACK_STEPS = 5
"""Number of steps of that attack."""


class SplitBatches:
    """Batches of each split. Every process has its share of the photos; figures are those of all processes together."""

    def __init__(self, prepared: PreparedRun[TrainingOptions]) -> None:
        self.prepared, self.group, self.recipe = prepared, prepared.group, prepared.options.recipe
        self.loaders: dict[str, DataLoader[Batch]] = {}

    def loader(self, split: str) -> DataLoader[Batch]:
        """This process's share of `train`, `validation`, `test` or `attacked`, a sample of validation."""
        if split == "attacked":
            validation = self.prepared.split.validation
            photos = tuple(validation[index] for index in evenly_spaced(ATTACKED, len(validation)))
        else:
            photos = self.prepared.split.by_name[split]
        return serving_batches(
            self.prepared.data.labelled(photos[self.group.rank :: self.group.size]),
            self.prepared.spec,
            batch_size=self.prepared.batch_share,
            workers=self.prepared.options.workers,
        )

    def reused_loader(self, split: str) -> DataLoader[Batch]:
        """As `loader`, but always the same loader for a split, whose worker processes stay alive."""
        if split not in self.loaders:
            self.loaders[split] = self.loader(split)
        return self.loaders[split]

    def gathered(self, scores: Callable[[Tensor], Tensor], batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
        """Scores and labels of a split, in order, from all processes."""
        rows, labels = gather(scores, batches, self.group.device)
        return self.group.collect(rows), self.group.collect(labels)

    def validate(self, learner: Learner) -> dict[str, dict[str, float]]:
        """The `figures` of each candidate, by its name."""
        return {name: self.figures(learner, network) for name, network in learner.candidates().items()}

    def figures(self, learner: Learner, network: nn.Module) -> dict[str, float]:
        """`accuracy`, `balanced_accuracy` and `nll` of a network on the validation split.

        In a robust run these are figures under attack, and `clean` and `clean_balanced_accuracy` are the accuracies
        without an attack.
        """
        self.group.align(network)

        def scores(pixels: Tensor) -> Tensor:
            return learner.scores(network, pixels)

        classes = self.prepared.spec.classes
        clean = measure(*self.gathered(scores, self.reused_loader("validation")), classes)
        if not self.recipe.attack_steps:
            return _figures(clean)
        attacked = measure(*self._attacked(learner, network), classes)
        return {
            **_figures(attacked),
            "clean": clean.accuracy,
            "clean_balanced_accuracy": clean.balanced_accuracy,
        }

    def _attacked(self, learner: Learner, network: nn.Module) -> tuple[Tensor, Tensor]:
        """Scores of attacked photos, and their labels."""
        all_scores, all_labels = [], []
        for batch_pixels, batch_labels in self.reused_loader("attacked"):
            pixels, labels = batch_pixels.to(self.group.device), batch_labels.to(self.group.device)
            perturbed = learner.attack(network, pixels, labels, epsilon=self.recipe.epsilon, steps=ATTACK_STEPS)
            with torch.no_grad():
                all_scores.append(learner.scores(network, perturbed).cpu())
            all_labels.append(labels.cpu())
        return self.group.collect(torch.cat(all_scores)), self.group.collect(torch.cat(all_labels))


def _figures(metrics: Metrics) -> dict[str, float]:
    return {"accuracy": metrics.accuracy, "balanced_accuracy": metrics.balanced_accuracy, "nll": metrics.nll}
