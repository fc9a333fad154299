"""Turns the best weights of a run into a checkpoint with a temperature, metrics on the test split, report and card."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from jaxtyping import Float, Int64
from rich.console import Console
from torch import Tensor, nn

from models import checkpoint
from models.classifier import Classifier
from models.files import write_atomically
from models.spec import Spec
from training.console import print_line, track
from training.data.loading.batches import serving_batches
from training.metrics import Metrics, best_temperature, gather, measure
from training.options import FitOptions
from training.prepare import PreparedRun
from training.provenance import provenance
from training.rare import rare_class_warnings
from training.report.card import model_card
from training.report.folder import write_report
from training.robustness import robustness, sampled
from training.run_state import State

CURVE_STEPS = 20
"""Number of steps of the attack that every run is measured with at its end; `evaluate` measures with more."""


def finish(prepared: PreparedRun[FitOptions], state: State, network: nn.Module, console: Console) -> Metrics:
    """Write the checkpoint, its card and the report; returns the metrics on the test split."""
    by = "balanced accuracy" if prepared.options.recipe.class_weights == "balanced" else "accuracy"
    print_line(console, f"kept: {state.best.name} of epoch {state.best.epoch}, chosen by {by} on the validation split")
    # Counted before the test split is looked at, and before the network, whose tensors the state holds, is changed.
    state.looks += 1
    with suppress(OSError):  # a full disk: only the count is lost
        prepared.options.folder.save_state(state)
    network.load_state_dict(state.best.weights)
    # What is measured is what will be served: the file as written, loaded back, its weights rounded to float16.
    plain = _written(prepared, network, prepared.spec)
    logits, labels = _logits(prepared, plain, "validation", console)
    spec = replace(prepared.spec, temperature=best_temperature(logits, labels))
    classifier = _written(prepared, plain.network[1], spec)
    test_logits, test_labels = _logits(prepared, classifier, "test", console)
    test = measure(test_logits, test_labels, spec.classes)
    metadata = provenance(
        prepared,
        state,
        validation=measure(logits / spec.temperature, labels, spec.classes),
        test=test,
        robustness=_robustness(prepared, classifier, console),
    )
    for warning in rare_class_warnings(metadata["metrics"], prepared.options.recipe.class_weights):
        print_line(console, f"warning: {warning}")
    checkpoint.save(prepared.options.output, classifier.network[1], spec, metadata)
    card = model_card(prepared.options.output.stem, spec, metadata).encode("utf-8", "replace")
    for file in (prepared.options.output.with_suffix(".md"), prepared.options.folder.card_file):
        write_atomically(file, card)
    write_report(
        prepared.options.folder.path,
        prepared.data.labelled(prepared.split.test, exact=True),
        spec,
        metadata,
        test,
        test_logits,
    )
    prepared.options.folder.candidate_file.unlink()
    return test


def _written(prepared: PreparedRun[FitOptions], network: nn.Module, spec: Spec) -> Classifier:
    file = prepared.options.folder.candidate_file
    checkpoint.save(file, network, spec, {})
    return checkpoint.load(file, device=prepared.options.device)[0]


def _logits(
    prepared: PreparedRun[FitOptions], classifier: Classifier, split: str, console: Console
) -> tuple[Float[Tensor, "n k"], Int64[Tensor, " n"]]:
    data = prepared.data.labelled(prepared.split.by_name[split], exact=True)
    batches = serving_batches(data, classifier.spec, batch_size=prepared.batch_share, workers=prepared.options.workers)
    return gather(classifier.logits, track(console, batches, what=split, total=len(batches)), prepared.options.device)


def _robustness(prepared: PreparedRun[FitOptions], classifier: Classifier, console: Console) -> dict[str, Any] | None:
    """Accuracy under attack on photos evenly spaced over the test split; None where the options ask for none."""
    data = prepared.data.labelled(prepared.split.test, exact=True)
    count = min(prepared.options.robustness_photos, len(data))
    if count == 0:
        return None
    return robustness(
        classifier,
        sampled(data, count),
        track=lambda results: track(console, results, what="robustness", total=count),
        steps=CURVE_STEPS,
    )
