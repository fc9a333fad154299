"""What `fit` and `find-lr` share: the network with its data, and the linear probe that gives it a head."""

import math
from collections.abc import Callable, Iterable
from typing import Generic

from rich.console import Console
from torch import Tensor, nn

from models import architectures
from training import speed
from training.console import print_line, track
from training.data.loading.batches import Batch, training_batches
from training.data.loading.plan import Plan
from training.learner import Learner
from training.prepare import Options, PreparedRun
from training.probe import Features, Probe, best_probe
from training.rare import class_weights
from training.run_state import CandidateWeights, State
from training.validate import SplitBatches


class Run(Generic[Options]):
    """A prepared run with its network, up to the linear probe."""

    def __init__(self, prepared: PreparedRun[Options], console: Console) -> None:
        self.prepared, self.console = prepared, console
        self.options, self.group, self.spec = prepared.options, prepared.group, prepared.spec
        self.recipe = prepared.options.recipe
        self.network = prepared.network()
        early = speed.early_size(self.network, self.spec, self.recipe)
        self.plan = Plan(self.recipe, len(prepared.split.train), early, self.spec.side)
        self.batches = SplitBatches(prepared)
        labels, classes = prepared.data.labelled(prepared.split.train).labels, len(self.spec.classes)
        self.is_balanced = self.recipe.class_weights == "balanced"
        self.class_weights = class_weights(labels, classes) if self.is_balanced else None

    def learner(self, precision: str, rate: Callable[[int], float] | None = None) -> Learner:
        """A Learner of the network as it is now, before its first step."""
        return Learner(
            self.network,
            self.spec,
            self.recipe,
            steps=self.plan.steps,
            precision=precision,
            group=self.group,
            rate=rate,
            spans=self.plan.spans,
            class_weights=self.class_weights,
        )

    def training_batches(self, start: int, plan: Plan | None = None) -> Iterable[Batch]:
        """This process's share of the training batches, from the step `start` on; `plan` is another plan of steps."""
        return training_batches(
            self.prepared.data.labelled(self.prepared.split.train),
            plan or self.plan,
            start,
            workers=self.options.workers,
            rank=self.group.rank,
            ranks=self.group.size,
        )

    def fit_probe(self) -> State:
        """Fit the head and nothing else, and give it to the network; returns the state of a run at this point.

        Its precision is float32 unless the recipe names one: a single pass over the photos does not pay for measuring
        which precision is fastest, and a run that fine-tunes later begins with the same head as one that goes on.
        """
        precision = "float32" if self.recipe.precision == "auto" else self.recipe.precision
        learner = self.learner(precision)
        probe = self._probe(learner, precision)
        architectures.set_head(self.network, probe.weight, probe.bias)
        # The figures of the probe hold for the network too: only under attack do they have to be measured again.
        figures = {"accuracy": probe.accuracy, "balanced_accuracy": probe.balanced_accuracy, "nll": probe.nll}
        if self.recipe.attack_steps:
            figures = self.batches.figures(learner, self.network)
        print_line(self.console, f"probe (penalty {probe.penalty:g}): validation {figures_text(figures)}")
        return State(self.prepared.identity, precision, candidate("probe", 0, figures, copy_weights(self.network)))

    def choose_precision(self) -> str:
        """The precision of fine-tuning, the same for all processes; it is printed with what was measured."""
        precision, seconds = self.group.share(
            speed.choose_precision(
                self.network,
                self.spec,
                self.recipe,
                size=self.plan.early,
                device=self.group.device,
                photos=self.prepared.batch_share,
                cache=self.options.cache,
            )
        )
        times = ", ".join(f"{name} {_step_text(step_s)}" for name, step_s in seconds.items())
        print_line(self.console, f"precision {precision}" + (f" (a step takes: {times})" if times else ""))
        return precision

    def _probe(self, learner: Learner, precision: str) -> Probe:
        """The best linear probe, from the cache if it is there."""
        key = self.prepared.probe_key(precision)
        cached = self._cached(key)
        if cached is not None:
            return Probe.from_tensors(cached)
        features = self._features(learner, precision)
        penalties, classes = self.recipe.probe_penalties, self.spec.classes
        probe = best_probe(features["train"], features["validation"], classes, penalties, self.class_weights)
        if self.group.rank == 0:
            self.options.cache.save_tensors(key, probe.to_tensors())
        return probe

    def _cached(self, key: str) -> dict[str, Tensor] | None:
        # All processes take what rank 0 has: if one computed and another did not, they would wait for ever.
        return self.group.share(self.options.cache.load_tensors(key) if self.group.rank == 0 else None)

    def _features(self, learner: Learner, precision: str) -> dict[str, Features]:
        """Features and labels of the photos to train on and to validate on, from the cache if they are there."""
        key, splits = self.prepared.features_key(precision), ("train", "validation")
        tensors = self._cached(key)
        if tensors is None:
            tensors = {}
            for split in splits:
                loader = self.batches.loader(split)
                batches = track(self.console, loader, what=f"features of {split}", total=len(loader))
                tensors[split], tensors[f"{split}_labels"] = self.batches.gathered(learner.features, batches)
            if self.group.rank == 0:
                self.options.cache.save_tensors(key, tensors)
        return {split: (tensors[split], tensors[f"{split}_labels"]) for split in splits}


def _step_text(seconds: float) -> str:
    """The seconds of a step; infinite ones are those of a precision that was given up."""
    return f"{seconds:.2f} s" if seconds < math.inf else "too long, or too much memory"


def copy_weights(network: nn.Module) -> dict[str, Tensor]:
    """The weights of the network, which later steps do not change."""
    return {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}


def candidate(name: str, epoch: int, figures: dict[str, float], weights: dict[str, Tensor]) -> CandidateWeights:
    """A candidate with the figures that `SplitBatches.figures` has measured."""
    return CandidateWeights(name, epoch, figures["accuracy"], figures["nll"], weights, figures["balanced_accuracy"])


def figures_text(figures: dict[str, float]) -> str:
    """The figures of a candidate on the validation split, as a part of a line."""
    clean = ""
    if "clean" in figures:
        clean = f", clean {figures['clean']:.4f}, balanced {figures['clean_balanced_accuracy']:.4f}"
    balanced = f"balanced {figures['balanced_accuracy']:.4f}"
    return f"{figures['accuracy']:.4f} ({balanced}, loss {figures['nll']:.4f}{clean})"
