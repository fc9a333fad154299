"""One run: probe, fine-tuning, and the choice between what they made; `training.finish` does the rest."""

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from dataclasses import replace

from rich.console import Console
from torch import Tensor, nn

from models import architectures
from training import speed
from training.console import TrainingProgress, print_line, track
from training.data.loading.batches import Batch, training_batches
from training.data.loading.plan import Plan
from training.data.sources.source import BadData
from training.extension import MAY_CHANGE, extend, planned_epochs, stages
from training.finish import finish
from training.learner import Diverged, Learner
from training.loggers import Logger, loggers
from training.metrics import Metrics
from training.prepare import FitOptions, Prepared, prepare
from training.probe import Features, Probe, best_probe
from training.process_group import launched, start_process_group
from training.rare import class_weights
from training.run_folder import BadRun, Candidate, State, alone_in
from training.validate import Sides


def fit(options: FitOptions, console: Console) -> Metrics | None:
    """Train a classifier and write the checkpoint, its card and the report; returns the figures on the test split.

    Under torchrun every process calls this, and those of rank above 0 return None when training is done.
    Raises the typed errors of what it is made of, before anything slow where that can be.
    """
    if options.finish and not options.resume:
        raise BadRun("--finish takes the best of a run that was stopped: give --resume with it")
    if options.data.is_dir() and options.folder.path.resolve().is_relative_to(options.data.resolve()):
        raise BadRun(f"{options.folder.path} would lie among the photos: give --runs another folder")
    group = start_process_group(options.device)
    if group.rank > 0:
        console = Console(quiet=True)
    with alone_in(options.folder) if group.rank == 0 else nullcontext():
        return Run(prepare(options, console, group), console).through()


class Run:
    """A prepared run, from the probe to the best of its candidates."""

    def __init__(self, ready: Prepared, console: Console) -> None:
        self.ready, self.console = ready, console
        self.options, self.group, self.spec, self.recipe = ready.options, ready.group, ready.spec, ready.options.recipe
        self.network = ready.network()
        early = speed.early_size(self.network, self.spec, self.recipe)
        self.plan = Plan(self.recipe, len(ready.split.train), early, self.spec.input_size)
        self.loggers: list[Logger] = loggers(self.options) if self.group.rank == 0 else []
        self.sides = Sides(ready)
        labels, classes = ready.labelled(ready.split.train).labels, len(self.spec.classes)
        self.balanced = self.recipe.class_weights == "balanced"
        self.class_weights = class_weights(labels, classes) if self.balanced else None

    def through(self) -> Metrics | None:
        """All of it, from the state that was saved last, if any."""
        print_line(self.console, ", ".join(f"{side} {len(photos):,}" for side, photos in self.ready.split.by_name.items()))
        if self.group.share(self.ready.identity) != self.ready.identity:
            raise BadRun(f"process {self.group.rank} has other data than process 0: give all the same files")
        state = self.group.share(self._earlier() if self.group.rank == 0 else None)
        if state is None:
            if self.options.finish:
                raise BadRun(f"there is no run to finish in {self.options.folder.path}: leave --finish away")
            if self.options.resume:
                print_line(self.console, f"there is no run to go on with in {self.options.folder.path}: this one starts anew")
            state = self.probe()
            if self.group.rank == 0:
                self.options.folder.begin(launched(), self.ready.split)
            self._save(state)
        else:
            self._go_on(state)
        if self.options.phase == "all" and not self.options.finish:
            self._fine_tune(state)
        return finish(self.ready, state, self.network, self.console) if self.group.rank == 0 else None

    def _earlier(self) -> State | None:
        if self.ready.anew:
            return None
        lost = ("data", "split") if self.ready.lost else ()
        return self.options.folder.load_state(self.ready.identity, but=(*MAY_CHANGE, *lost))

    def _go_on(self, state: State) -> None:
        """Be the run that the state is of, made longer where more epochs are asked for."""
        if self.options.phase == "all" and not self.options.finish and self.options.epochs_asked:
            told = extend(state, self.recipe.epochs, self.plan.steps_per_epoch)
            if told is not None:
                print_line(self.console, told)
                self._save(state)
        self.recipe = replace(self.recipe, epochs=planned_epochs(state))
        self.options = replace(self.options, recipe=self.recipe)
        self.ready = replace(self.ready, options=self.options)
        self.plan = replace(self.plan, recipe=self.recipe, stages=stages(state))

    # The probe.

    def probe(self) -> State:
        """The state of a run whose head was fitted and nothing else; the network has that head."""
        precision, seconds = self.group.share(
            speed.choose_precision(
                self.network,
                self.spec,
                self.recipe,
                size=self.plan.early,
                device=self.group.device,
                photos=self.ready.share,
                cache=self.options.cache,
            )
        )
        told = ", ".join(f"{name} {took:.2f} s" for name, took in seconds.items())
        print_line(self.console, f"precision {precision}" + (f" (a step takes: {told})" if told else ""))
        learner = self.learner(precision)
        probe = self._best_probe(learner, precision)
        architectures.set_head(self.network, probe.weight, probe.bias)
        # The features are what the head is given: only under attack do they have to be computed again.
        found = {"accuracy": probe.accuracy, "balanced_accuracy": probe.balanced_accuracy, "nll": probe.nll}
        if self.recipe.attack_steps:
            found = self.sides.figures(learner, self.network)
        print_line(self.console, f"probe (penalty {probe.penalty:g}): validation {_told(found)}")
        kept = _candidate("probe", 0, found, copied(self.network))
        return State(self.ready.identity, precision, kept)

    def _best_probe(self, learner: Learner, precision: str) -> Probe:
        key = self.ready.probe_key(precision)
        kept = self._kept(key)
        if kept is not None:
            return Probe.from_tensors(kept)
        features = self._features(learner, precision)
        penalties, classes = self.recipe.probe_penalties, self.spec.classes
        probe = best_probe(features["train"], features["validation"], classes, penalties, self.class_weights)
        if self.group.rank == 0:
            self.options.cache.save_tensors(key, probe.to_tensors())
        return probe

    def _kept(self, key: str) -> dict[str, Tensor] | None:
        # Rank 0's, or nobody's: one process that computes while another does not would wait for it for ever.
        return self.group.share(self.options.cache.load_tensors(key) if self.group.rank == 0 else None)

    def _features(self, learner: Learner, precision: str) -> dict[str, Features]:
        key, sides = self.ready.features_key(precision), ("train", "validation")
        found = self._kept(key)
        if found is None:
            found = {}
            for side in sides:
                data = self.sides.batches(side)
                batches = track(self.console, data, what=f"features of {side}", total=len(data))
                found[side], found[f"{side}_labels"] = self.sides.gathered(learner.features, batches)
            if self.group.rank == 0:
                self.options.cache.save_tensors(key, found)
        return {side: (found[side], found[f"{side}_labels"]) for side in sides}

    # Fine-tuning.

    def learner(self, precision: str, rate: Callable[[int], float] | None = None) -> Learner:
        """The network as it is now, before its first step."""
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

    def _fine_tune(self, state: State) -> None:
        """The loop: a step for each batch, after each epoch validation, and the state saved every so often."""
        self.network.load_state_dict(state.kept.weights)
        learner = self.learner(state.precision)
        if state.learner is not None:
            learner.restore(state.learner)
            print_line(self.console, f"going on after step {learner.step:,} of {learner.steps:,}")
        watch = TrainingProgress(self.console, self.plan, learner.step)
        try:
            if learner.step // self.plan.steps_per_epoch > len(state.history):
                self._close_epoch(learner, state, watch)  # it was stopped between the epoch's last step and this
            if self._is_over(state, learner):
                return
            for pixels, labels in self._training_batches(learner.step):
                state.losses.append(learner.learn(pixels, labels))
                watch.stepped(learner.step, state.losses[-1])
                if learner.step % self.plan.steps_per_epoch == 0:
                    self._close_epoch(learner, state, watch)
                    if self._is_over(state, learner):
                        break
                elif watch.since_saved() > self.options.save_every_s:
                    self._save(state, learner, watch)
        except (BadData, Diverged):
            self._save(state, learner, watch)  # the step that failed has changed nothing
            raise
        finally:
            watch.close()

    def _training_batches(self, start: int) -> Iterable[Batch]:
        data = self.ready.labelled(self.ready.split.train)
        group = {"rank": self.group.rank, "ranks": self.group.size}
        return training_batches(data, self.plan, start, workers=self.options.workers, **group)

    def _is_over(self, state: State, learner: Learner) -> bool:
        """Whether all steps are done, or validation has not improved for too long."""
        # An extended run is given as long again: patience counts from where its last schedule began.
        waited = len(state.history) - max(state.kept.epoch, stages(state)[-1][0])
        return learner.step >= learner.steps or (self.recipe.patience is not None and waited >= self.recipe.patience)

    def _close_epoch(self, learner: Learner, state: State, watch: TrainingProgress) -> None:
        """Measure the candidates, keep the best, and write down how it went."""
        epoch, start = len(state.history) + 1, time.monotonic()
        found = self.sides.validate(learner)
        for name, figures in found.items():
            candidate = _candidate(name, epoch, figures, {})
            if candidate.beats(state.kept, balanced=self.balanced):
                state.kept = replace(candidate, weights=copied(learner.candidates()[name]))
        watch.measured(time.monotonic() - start)
        row = {"epoch": epoch, "size": self.plan.size(epoch - 1), "loss": sum(state.losses) / len(state.losses)}
        row |= {f"{name}_{figure}": value for name, figures in found.items() for figure, value in figures.items()}
        state.history.append({**row, "seconds": round(watch.epoch_seconds(), 1)})
        state.losses = []
        told = "; ".join(f"{name} {_told(figures)}" for name, figures in found.items())
        print_line(
            self.console,
            f"epoch {epoch} at {row['size']} px: loss {row['loss']:.4f}; validation: {told}; {watch.left()}",
        )
        self._save(state, learner, watch)
        for logger in self.loggers:
            with suppress(OSError):  # a full disk
                logger(state.history[-1])

    def _save(self, state: State, learner: Learner | None = None, watch: TrainingProgress | None = None) -> None:
        """Write the state; a disk that is full costs what would be lost by a crash, not the run."""
        if self.group.rank > 0:
            return
        if learner is not None:
            state.learner = learner.state()
        try:
            self.options.folder.save_state(state)
        except OSError as error:
            print_line(self.console, f"the state could not be saved ({error.strerror}): the one before it is kept; make room")
        if watch is not None:
            watch.saved()


def copied(network: nn.Module) -> dict[str, Tensor]:
    """Weights that later steps do not change."""
    return {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}


def _candidate(name: str, epoch: int, figures: dict[str, float], weights: dict[str, Tensor]) -> Candidate:
    return Candidate(name, epoch, figures["accuracy"], figures["nll"], weights, figures["balanced_accuracy"])


def _told(figures: dict[str, float]) -> str:
    clean = ""
    if "clean" in figures:
        clean = f", clean {figures['clean']:.4f}, balanced {figures['clean_balanced_accuracy']:.4f}"
    balanced = f"balanced {figures['balanced_accuracy']:.4f}"
    return f"{figures['accuracy']:.4f} ({balanced}, loss {figures['nll']:.4f}{clean})"
