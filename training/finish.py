"""Turns the best weights of a run into a checkpoint: calibrated, measured on the test split, with its model card.

What is optional, the report and accuracy under attack, follows in `training.afterwards`.
"""

import shlex
from contextlib import suppress
from dataclasses import replace

from jaxtyping import Float, Int64
from rich.console import Console
from torch import Tensor, nn

from models import checkpoint
from models.classifier import Classifier
from training.afterwards import Measured, add_robustness, publish
from training.console import print_line, track
from training.data.loading.batches import serving_batches
from training.metrics import Metrics, best_temperature, gather, measure
from training.options import FitOptions
from training.prepare import PreparedRun
from training.provenance import is_of, provenance
from training.rare import rare_class_warnings
from training.run_state import State


def finish(prepared: PreparedRun[FitOptions], state: State, network: nn.Module, console: Console) -> Metrics:
    """Write the checkpoint with its card, then the report and accuracy under attack; returns the metrics on test.

    Where an earlier process has written the checkpoint of this state, only what is missing is added.
    """
    measured = _written(prepared, state, console) or _write(prepared, state, network, console)
    print_line(console, _ready(prepared.options, measured.metrics))
    publish(prepared, measured)
    add_robustness(prepared, measured, console)
    print_line(console, f"the report is {prepared.options.folder.path / 'report.html'}")
    return measured.metrics


def _written(prepared: PreparedRun[FitOptions], state: State, console: Console) -> Measured | None:
    """The checkpoint if it was written from exactly this state, measured on the test split again; otherwise None."""
    try:
        classifier, written = checkpoint.load(prepared.options.output, device=prepared.options.device)
    except (FileNotFoundError, checkpoint.BadCheckpoint):
        return None
    if not is_of(written.provenance, prepared, state):
        return None
    print_line(console, f"nothing is left to train: {prepared.options.output} has the best weights of this run")
    logits, labels = _logits(prepared, classifier, "test", console)
    return Measured(classifier, dict(written.provenance), measure(logits, labels, classifier.spec.classes), logits)


def _write(prepared: PreparedRun[FitOptions], state: State, network: nn.Module, console: Console) -> Measured:
    """Measure the best weights of the state, and write them as the checkpoint."""
    by = "balanced accuracy" if prepared.options.recipe.class_weights == "balanced" else "accuracy"
    print_line(console, f"kept: {state.best.name} of epoch {state.best.epoch}, chosen by {by} on the validation split")
    # Counted before the test split is looked at, and before the network, whose tensors the state holds, is changed.
    state.looks += 1
    with suppress(OSError):  # a full disk: only the count is lost
        prepared.options.folder.save_state(state)
    network.load_state_dict(state.best.weights)
    # What is measured is what will be served: the file as written, loaded back, its weights rounded to float16.
    candidate = prepared.options.folder.candidate_file
    checkpoint.save(candidate, network, prepared.spec, {})
    plain, _ = checkpoint.load(candidate, device=prepared.options.device)
    logits, labels = _logits(prepared, plain, "validation", console)
    spec = replace(prepared.spec, temperature=best_temperature(logits, labels))
    classifier = Classifier(plain.network[1], spec, device=prepared.options.device)
    test_logits, test_labels = _logits(prepared, classifier, "test", console)
    test = measure(test_logits, test_labels, spec.classes)
    validation = measure(logits / spec.temperature, labels, spec.classes)
    metadata = provenance(prepared, state, validation=validation, test=test)
    for warning in rare_class_warnings(metadata["metrics"], prepared.options.recipe.class_weights):
        print_line(console, f"warning: {warning}")
    checkpoint.save(prepared.options.output, classifier.network[1], spec, metadata)
    candidate.unlink()
    return Measured(classifier, metadata, test, test_logits)


def _logits(
    prepared: PreparedRun[FitOptions], classifier: Classifier, split: str, console: Console
) -> tuple[Float[Tensor, "n k"], Int64[Tensor, " n"]]:
    data = prepared.data.labelled(prepared.split.by_name[split], exact=True)
    batches = serving_batches(data, classifier.spec, batch_size=prepared.batch_share, workers=prepared.options.workers)
    return gather(classifier.logits, track(console, batches, what=split, total=len(batches)), prepared.options.device)


def _ready(options: FitOptions, metrics: Metrics) -> str:
    """What is said as soon as the checkpoint can be used, and how it is served."""
    low, high = metrics.interval
    folder, name = shlex.quote(str(options.output.parent)), shlex.quote(options.output.stem)
    return (
        f"{options.output} is ready: {metrics.accuracy:.2%} of {metrics.photos:,} test photos right (95 % interval "
        f"{low:.2%} to {high:.2%}), balanced accuracy {metrics.balanced_accuracy:.2%}, calibration error "
        f"{metrics.ece:.4f}; the card is {options.output.with_suffix('.md')}\n"
        f"to serve it: MIRAGE_CHECKPOINTS={folder} MIRAGE_MODELS={name} python -m app"
    )
