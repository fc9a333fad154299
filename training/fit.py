"""One run: probe, fine-tuning, choice, temperature, test, checkpoint and card."""

import time
from collections.abc import Iterable
from dataclasses import replace

from rich.console import Console
from torch import Tensor, nn

from models import architectures, checkpoint
from models.classifier import Classifier
from models.files import write_atomically
from models.spec import Spec
from training import speed
from training.console import duration, tell, track
from training.evaluate import Metrics, best_temperature, gather, measure
from training.finetune import FineTuning
from training.loaders import Batch, Labelled, serving_batches, steps_per_epoch, training_batches
from training.prepare import Job, Prepared, prepare
from training.probe import Features, best_probe
from training.provenance import provenance
from training.report import model_card
from training.runs import Kept, State
from training.scan import Photo


def fit(job: Job, console: Console) -> Metrics:
    """Train as the job says and write the checkpoint and its card; returns the figures on the test split.

    Raises the typed errors of what it is made of, before anything slow where that can be.
    """
    return Run(prepare(job, console), console).through()


class Run:
    """A prepared run, from the probe to the card."""

    def __init__(self, ready: Prepared, console: Console) -> None:
        self.ready, self.console = ready, console
        self.job, self.spec, self.recipe = ready.job, ready.spec, ready.job.recipe
        self.network = ready.network()
        self.early = speed.early_size(self.network, self.spec, self.recipe)

    def through(self) -> Metrics:
        """All of it, from the state that was saved last, if any."""
        sides = {side: len(getattr(self.ready.split, side)) for side in ("train", "validation", "test")}
        tell(self.console, ", ".join(f"{side} {count:,}" for side, count in sides.items()))
        state = self.job.folder.load_state(self.ready.identity)
        if state is None:
            state = self._begin()
            self.job.folder.save_state(state)
        self._fine_tune(state)
        return self._finish(state)

    # The probe.

    def _begin(self) -> State:
        precision, seconds = speed.choose_precision(
            self.network, self.spec, self.recipe, size=self.early, device=self.job.device
        )
        told = ", ".join(f"{name} {took:.2f} s" for name, took in seconds.items())
        tell(self.console, f"precision {precision}" + (f" (a step takes: {told})" if told else ""))
        tuning = self._tuning(precision)
        features = self._features(tuning)
        probe = best_probe(features["train"], features["validation"], self.spec.classes, self.recipe.probe_penalties)
        architectures.set_head(self.network, probe.weight, probe.bias)
        found = self._validate(tuning)["raw"]
        tell(
            self.console,
            f"probe: validation accuracy {found.accuracy:.4f}, loss {found.nll:.4f} (penalty {probe.penalty:g})",
        )
        kept = Kept("probe", 0, found.accuracy, found.nll, copied(self.network.state_dict()))
        return State(self.ready.identity, precision, kept, history=[])

    def _features(self, tuning: FineTuning) -> dict[str, Features]:
        key = f"{self.ready.features_key}:{tuning.precision}"
        found = self.job.folder.load_features(key)
        if found is None:
            found = {}
            for side in ("train", "validation"):
                batches = self._served(getattr(self.ready.split, side), f"features of {side}")
                found[side] = gather(tuning.features, batches, self.job.device)
            self.job.folder.save_features(key, found)
        return found

    # Fine-tuning.

    def _tuning(self, precision: str) -> FineTuning:
        steps = self.recipe.epochs * steps_per_epoch(len(self.ready.split.train), self.recipe.batch_size)
        return FineTuning(
            self.network, self.spec, self.recipe, steps=steps, device=self.job.device, precision=precision
        )

    def _fine_tune(self, state: State) -> None:
        self.network.load_state_dict(state.kept.weights)
        tuning = self._tuning(state.precision)
        if state.tuning is not None:
            tuning.restore(state.tuning)
            tell(self.console, f"going on after epoch {tuning.epoch} of {self.recipe.epochs}")
        while tuning.epoch < self.recipe.epochs:
            self._epoch(tuning, state)
            self.job.folder.save_state(state)

    def _epoch(self, tuning: FineTuning, state: State) -> None:
        start = time.monotonic()
        size = self._size(tuning.epoch)
        data = self._labelled(self.ready.split.train)
        batches = training_batches(data, self.recipe, size=size, epoch=tuning.epoch, workers=self.job.workers)
        what = f"epoch {tuning.epoch + 1} of {self.recipe.epochs} at {size} px"
        loss = tuning.train_epoch(track(self.console, batches, total=len(batches), what=what))
        found = self._validate(tuning)
        for name, metrics in found.items():
            candidate = Kept(name, tuning.epoch, metrics.accuracy, metrics.nll, {})
            if candidate.beats(state.kept):
                state.kept = replace(candidate, weights=copied(tuning.candidates()[name]))
        took = time.monotonic() - start
        figures = {f"{name}_{figure}": getattr(found[name], figure) for name in found for figure in ("accuracy", "nll")}
        state.history.append({"epoch": tuning.epoch, "size": size, "loss": loss, **figures, "seconds": round(took, 1)})
        state.tuning = tuning.state()
        self._tell(what, loss, found, self._seconds_left(tuning.epoch, took / size**2))

    def _tell(self, what: str, loss: float, found: dict[str, Metrics], seconds_left: float) -> None:
        told = ", ".join(f"{name} {metrics.accuracy:.4f} (loss {metrics.nll:.4f})" for name, metrics in found.items())
        left = f"; about {duration(seconds_left)} left" if seconds_left else ""
        tell(self.console, f"{what}: loss {loss:.4f}; validation: {told}{left}")

    def _size(self, epoch: int) -> int:
        return speed.epoch_size(epoch, self.recipe, early=self.early, full=self.spec.input_size)

    def _seconds_left(self, epoch: int, seconds_per_pixel: float) -> float:
        # Work grows with the number of pixels.
        return sum(seconds_per_pixel * self._size(later) ** 2 for later in range(epoch, self.recipe.epochs))

    def _validate(self, tuning: FineTuning) -> dict[str, Metrics]:
        batches = self._served(self.ready.split.validation, "validation")
        both, labels = gather(tuning.scores, batches, self.job.device)
        raw, averaged = both.chunk(2, dim=1)
        return {"raw": measure(raw, labels, self.spec.classes), "ema": measure(averaged, labels, self.spec.classes)}

    # The end.

    def _finish(self, state: State) -> Metrics:
        tell(self.console, f"kept: {state.kept.name} of epoch {state.kept.epoch}")
        self.network.load_state_dict(state.kept.weights)
        # Measured is what will be served: the file as written, loaded back, its weights rounded to float16.
        plain = self._written(self.network, self.spec)
        logits, labels = gather(plain.logits, self._served(self.ready.split.validation, "temperature"), self.job.device)
        spec = replace(self.spec, temperature=best_temperature(logits, labels))
        classifier = self._written(plain.network[1], spec)
        test = gather(classifier.logits, self._served(self.ready.split.test, "test"), self.job.device)
        metrics = measure(*test, self.spec.classes)
        validation = measure(logits / spec.temperature, labels, self.spec.classes)
        story = provenance(self.ready, state, validation=validation, test=metrics)
        checkpoint.save(self.job.output, classifier.network[1], spec, story)
        write_atomically(self.job.output.with_suffix(".md"), model_card(self.job.output.stem, spec, story).encode())
        return metrics

    def _written(self, network: nn.Module, spec: Spec) -> Classifier:
        file = self.job.folder.candidate_file
        checkpoint.save(file, network, spec, {})
        return checkpoint.load(file, device=self.job.device)[0]

    # The photos.

    def _labelled(self, photos: tuple[Photo, ...]) -> Labelled:
        return self.ready.labelled(photos)

    def _served(self, photos: tuple[Photo, ...], what: str) -> Iterable[Batch]:
        batches = serving_batches(
            self._labelled(photos), self.spec, batch_size=self.recipe.batch_size, workers=self.job.workers
        )
        return track(self.console, batches, total=len(batches), what=what)


def copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights that later steps do not change."""
    return {key: tensor.detach().clone() for key, tensor in weights.items()}
