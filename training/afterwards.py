"""What a run adds once its checkpoint can be used: the report, and accuracy under attack.

Each file is replaced as a whole, so that a run may be stopped here at any moment without losing anything.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from rich.console import Console
from torch import Tensor

from models import checkpoint
from models.classifier import Classifier
from models.files import write_atomically
from training.console import duration, print_line, track
from training.metrics import Metrics
from training.options import FitOptions
from training.prepare import PreparedRun
from training.report.card import model_card
from training.report.folder import write_report
from training.robustness import curve_text, robustness, sampled

CURVE_STEPS = 20
"""Number of steps of the attack that every run is measured with at its end; `evaluate` measures with more."""
LEAST_S, SHARE = 20.0, 0.1
"""By default accuracy under attack takes this many seconds, or this fraction of the run's time if that is more."""


@dataclass(frozen=True)
class Measured:
    """A checkpoint on disk: the classifier in it, its provenance, and its metrics and logits on the test split."""

    classifier: Classifier
    provenance: dict[str, Any]
    metrics: Metrics
    logits: Float[Tensor, "n k"]


def publish(prepared: PreparedRun[FitOptions], measured: Measured) -> None:
    """Write the model card and the report of what has been measured so far."""
    options, spec = prepared.options, measured.classifier.spec
    card = model_card(options.output.stem, spec, measured.provenance).encode("utf-8", "replace")
    for file in (options.output.with_suffix(".md"), options.folder.card_file):
        write_atomically(file, card)
    test = prepared.data.labelled(prepared.split.test, exact=True)
    write_report(options.folder.path, test, spec, measured.provenance, measured.metrics, measured.logits)


def add_robustness(prepared: PreparedRun[FitOptions], measured: Measured, console: Console) -> None:
    """Measure accuracy under attack for a limited time, and add it to the checkpoint, the card and the report.

    Does nothing where it is there already or the options ask for none. Ctrl-C ends it, and leaves all files complete.
    """
    data = prepared.data.labelled(prepared.split.test, exact=True)
    count, metrics = min(prepared.options.robustness_photos, len(data)), measured.provenance["metrics"]
    if count == 0 or metrics["robustness"]:
        return
    seconds = seconds_for(prepared.options, prepared.begun)
    limit = "" if seconds == math.inf else f" for about {duration(seconds)}"
    print_line(console, f"measuring accuracy under attack{limit}: Ctrl-C leaves it out, and --resume adds it later")
    try:
        metrics["robustness"] = robustness(
            measured.classifier,
            sampled(data, count),
            seconds=seconds,
            track=lambda results: track(console, results, what=f"attacking{limit}", total=count),
            steps=CURVE_STEPS,
        )
    except KeyboardInterrupt:
        print_line(console, f"stopped: {prepared.options.output} is complete, without accuracy under attack")
        return
    checkpoint.replace_provenance(prepared.options.output, measured.provenance)
    publish(prepared, measured)
    print_line(console, curve_text(metrics["robustness"]))


def seconds_for(options: FitOptions, begun: float) -> float:
    """Seconds that accuracy under attack may take in a run that began at `begun`, on the clock of time.monotonic()."""
    if options.robustness_seconds is not None:
        return options.robustness_seconds
    return max(LEAST_S, SHARE * (time.monotonic() - begun))
