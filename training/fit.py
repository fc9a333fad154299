"""One run of `fit`: linear probe, fine-tuning, and the choice of the best weights; `training.finish` does the rest."""

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from training.console import TrainingProgress, print_line
from training.data.sources.source import BadData
from training.extension import MAY_CHANGE, extend, planned_epochs, stages
from training.finish import finish
from training.learner import Diverged, Learner
from training.loggers import Logger, loggers
from training.metrics import Metrics
from training.options import FitOptions
from training.prepare import PreparedRun, prepare
from training.process_group import ProcessGroup, launched, start_process_group, was_restarted
from training.run import Run, candidate, copy_weights, figures_text
from training.run_folder import claim, locked
from training.run_state import BadRun, State


def fit(options: FitOptions, console: Console) -> Metrics | None:
    """Train a classifier and write the checkpoint, its card and the report; returns the metrics on the test split.

    Under torchrun every process calls this, and those of rank above 0 return None when training is done.
    Raises the errors of its parts, where possible before anything that takes long.
    """
    folder = options.folder
    if options.finish and not options.resume:
        raise BadRun("--finish takes the best weights of a run that was stopped: give --resume with it")
    if options.data.is_dir() and folder.path.resolve().is_relative_to(options.data.resolve()):
        raise BadRun(f"{folder.path} would lie among the photos: give --runs another folder")
    group = start_process_group(options.device)
    if group.rank > 0:
        return _run(options, Console(quiet=True), group)
    with locked(folder):
        anew = claim(
            options.output,
            folder,
            resume=options.resume,
            overwrite=options.overwrite,
            launch=launched(),
            restarted=was_restarted(),
        )
        return _run(options, console, group, anew=anew, findings_file=folder.findings_file)


def _run(
    options: FitOptions,
    console: Console,
    group: ProcessGroup,
    *,
    anew: bool = False,
    findings_file: Path | None = None,
) -> Metrics | None:
    prepared = prepare(options, console, group, licence=options.weights_licence, findings_file=findings_file)
    return FitRun(_with_first_split(prepared, console), console, anew=anew).complete()


def _with_first_split(prepared: PreparedRun[FitOptions], console: Console) -> PreparedRun[FitOptions]:
    """With --finish, take the split that the run began with, so that it can be finished although photos are gone."""
    first = prepared.options.folder.load_split(prepared.data.scan.photos) if prepared.options.finish else None
    if first is None or first[1] == 0 or not all(first[0].by_name.values()):
        return prepared
    print_line(console, f"{first[1]:,} of the photos that the run began with are gone: it is finished with the others")
    return replace(prepared, split=first[0], lost=first[1])


class FitRun(Run[FitOptions]):
    """A run from the linear probe to the checkpoint; `anew` ignores the state of an earlier run."""

    def __init__(self, prepared: PreparedRun[FitOptions], console: Console, *, anew: bool = False) -> None:
        super().__init__(prepared, console)
        self.anew = anew
        self.loggers: list[Logger] = loggers(self.options) if self.group.rank == 0 else []

    def complete(self) -> Metrics | None:
        """Do everything that is left to do, starting from the saved state if there is one."""
        splits = self.prepared.split.by_name
        print_line(self.console, ", ".join(f"{name} {len(photos):,}" for name, photos in splits.items()))
        if self.group.share(self.prepared.identity) != self.prepared.identity:
            raise BadRun(f"process {self.group.rank} has other data than process 0: give all processes the same files")
        state = self.group.share(self._saved_state() if self.group.rank == 0 else None)
        if state is None:
            state = self._begin()
        else:
            self._continue(state)
        if self.options.phase == "all" and not self.options.finish:
            self._fine_tune(state)
        return finish(self.prepared, state, self.network, self.console) if self.group.rank == 0 else None

    def _saved_state(self) -> State | None:
        if self.anew:
            return None
        lost = ("data", "split") if self.prepared.lost else ()
        return self.options.folder.load_state(self.prepared.identity, ignored=(*MAY_CHANGE, *lost))

    def _begin(self) -> State:
        """Start a new run: fit the linear probe, and save the first state."""
        folder = self.options.folder
        if self.options.finish:
            raise BadRun(f"there is no run to finish in {folder.path}: leave out --finish")
        if self.options.resume:
            print_line(self.console, f"there is no run to continue in {folder.path}: this one starts anew")
        state = self.fit_probe()
        if self.group.rank == 0:
            folder.begin(launched(), self.prepared.split)
        self._save(state)
        return state

    def _continue(self, state: State) -> None:
        """Continue the run of the saved state, and extend it if more epochs are asked for."""
        if self.options.phase == "all" and not self.options.finish and self.options.epochs_asked:
            message = extend(state, self.recipe.epochs, self.plan.steps_per_epoch)
            if message is not None:
                print_line(self.console, message)
                self._save(state)
        self.recipe = replace(self.recipe, epochs=planned_epochs(state))
        self.options = replace(self.options, recipe=self.recipe)
        self.prepared = replace(self.prepared, options=self.options)
        self.plan = replace(self.plan, recipe=self.recipe, stages=stages(state))

    def _fine_tune(self, state: State) -> None:
        """Make a step for each batch, validate after each epoch, and save the state in regular intervals."""
        self.network.load_state_dict(state.best.weights)
        if state.learner is None:
            state.precision = self.choose_precision()
        learner = self.learner(state.precision)
        if state.learner is not None:
            learner.restore(state.learner)
            print_line(self.console, f"continuing after step {learner.step:,} of {learner.steps:,}")
        progress = TrainingProgress(self.console, self.plan, learner.step)
        try:
            if learner.step // self.plan.steps_per_epoch > len(state.history):
                self._close_epoch(learner, state, progress)  # the run was stopped before this validation
            if self._is_over(state, learner):
                return
            for pixels, labels in self.training_batches(learner.step):
                state.losses.append(learner.learn(pixels, labels))
                progress.report_step(learner.step, state.losses[-1])
                if learner.step % self.plan.steps_per_epoch == 0:
                    self._close_epoch(learner, state, progress)
                    if self._is_over(state, learner):
                        break
                elif progress.seconds_since_save() > self.options.save_every_s:
                    self._save(state, learner, progress)
        except (BadData, Diverged):
            self._save(state, learner, progress)  # the step that failed has changed nothing
            raise
        finally:
            progress.close()

    def _is_over(self, state: State, learner: Learner) -> bool:
        """Whether all steps are done, or validation has not improved for too many epochs."""
        # An extended run has its full patience again: it counts from where the last schedule began.
        waited = len(state.history) - max(state.best.epoch, stages(state)[-1][0])
        return learner.step >= learner.steps or (self.recipe.patience is not None and waited >= self.recipe.patience)

    def _close_epoch(self, learner: Learner, state: State, progress: TrainingProgress) -> None:
        """Measure the candidates, keep the best, and add a row to the history."""
        epoch, start = len(state.history) + 1, time.monotonic()
        results = self.batches.validate(learner)
        for name, figures in results.items():
            contender = candidate(name, epoch, figures, {})
            if contender.beats(state.best, balanced=self.is_balanced):
                state.best = replace(contender, weights=copy_weights(learner.candidates()[name]))
        progress.report_validation(time.monotonic() - start)
        row = {"epoch": epoch, "size": self.plan.size(epoch - 1), "loss": sum(state.losses) / len(state.losses)}
        row |= {f"{name}_{figure}": value for name, figures in results.items() for figure, value in figures.items()}
        state.history.append({**row, "seconds": round(progress.epoch_seconds(), 1)})
        state.losses = []
        texts = "; ".join(f"{name} {figures_text(figures)}" for name, figures in results.items())
        print_line(
            self.console,
            f"epoch {epoch} at {row['size']} px: loss {row['loss']:.4f}; validation: {texts}; {progress.time_left()}",
        )
        self._save(state, learner, progress)
        for logger in self.loggers:
            with suppress(OSError):  # a full disk
                logger(state.history[-1])

    def _save(self, state: State, learner: Learner | None = None, progress: TrainingProgress | None = None) -> None:
        """Write the state; if the disk is full, print a message and go on: the state saved before is kept."""
        if self.group.rank > 0:
            return
        if learner is not None:
            state.learner = learner.state()
        try:
            self.options.folder.save_state(state)
        except OSError as error:
            print_line(
                self.console,
                f"the state could not be saved ({error.strerror}): the one before it is kept; free some disk space",
            )
        if progress is not None:
            progress.report_save()
