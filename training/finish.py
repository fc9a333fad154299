"""From the best candidate to the checkpoint: temperature, the one look at the test side, robustness, report, card."""

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
from training.prepare import Prepared
from training.provenance import provenance
from training.rare import rare_class_warnings
from training.report.card import model_card
from training.report.folder import write_report
from training.robustness import robustness, sampled
from training.run_folder import State

CURVE_STEPS = 20
"""Of the attack behind the curve that every run gets; `evaluate` measures with more."""


def finish(ready: Prepared, state: State, network: nn.Module, console: Console) -> Metrics:
    """Write the checkpoint, its card and the report; returns the figures on the test side."""
    by = "balanced accuracy" if ready.options.recipe.class_weights == "balanced" else "accuracy"
    print_line(console, f"kept: {state.kept.name} of epoch {state.kept.epoch}, chosen by {by} on the validation split")
    # Counted before the look, and before the network, whose tensors are the state's own, becomes another.
    state.looks += 1
    with suppress(OSError):  # a full disk: the count of looks alone is lost
        ready.options.folder.save_state(state)
    network.load_state_dict(state.kept.weights)
    # Measured is what will be served: the file as written, loaded back, its weights rounded to float16.
    plain = _written(ready, network, ready.spec)
    logits, labels = _logits(ready, plain, "validation", console)
    spec = replace(ready.spec, temperature=best_temperature(logits, labels))
    classifier = _written(ready, plain.network[1], spec)
    test_logits, test_labels = _logits(ready, classifier, "test", console)
    test = measure(test_logits, test_labels, spec.classes)
    story = provenance(
        ready,
        state,
        validation=measure(logits / spec.temperature, labels, spec.classes),
        test=test,
        robustness=_robustness(ready, classifier, console),
    )
    for warning in rare_class_warnings(story["metrics"], ready.options.recipe.class_weights):
        print_line(console, f"warning: {warning}")
    checkpoint.save(ready.options.output, classifier.network[1], spec, story)
    card = model_card(ready.options.output.stem, spec, story).encode("utf-8", "replace")
    for file in (ready.options.output.with_suffix(".md"), ready.options.folder.card_file):
        write_atomically(file, card)
    write_report(
        ready.options.folder.path, ready.labelled(ready.split.test, exact=True), spec, story, test, test_logits
    )
    ready.options.folder.candidate_file.unlink()
    return test


def _written(ready: Prepared, network: nn.Module, spec: Spec) -> Classifier:
    file = ready.options.folder.candidate_file
    checkpoint.save(file, network, spec, {})
    return checkpoint.load(file, device=ready.options.device)[0]


def _logits(
    ready: Prepared, classifier: Classifier, side: str, console: Console
) -> tuple[Float[Tensor, "n k"], Int64[Tensor, " n"]]:
    data = ready.labelled(ready.split.by_name[side], exact=True)
    batches = serving_batches(data, classifier.spec, batch_size=ready.share, workers=ready.options.workers)
    return gather(classifier.logits, track(console, batches, what=side, total=len(batches)), ready.options.device)


def _robustness(ready: Prepared, classifier: Classifier, console: Console) -> dict[str, Any] | None:
    """The curve on a sample of the test side, spread evenly over it; None where none was asked for."""
    data = ready.labelled(ready.split.test, exact=True)
    count = min(ready.options.robustness_photos, len(data))
    if count == 0:
        return None
    return robustness(
        classifier,
        sampled(data, count),
        track=lambda found: track(console, found, what="robustness", total=count),
        steps=CURVE_STEPS,
    )
