"""The check of an imported model on labelled photos: how many it gets right, and what may be wrong with it."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from models.classifier import Classifier
from models.files import write_atomically
from models.spec import Spec
from training.console import track
from training.importing.doctor import Diagnosis, diagnose
from training.importing.options import ImportOptions
from training.importing.photos import ENOUGH, Photos, read_photos
from training.importing.trial import Trial
from training.metrics import Metrics, measure, wilson

PRINTED = 40
"""Largest number of classes whose names are printed in another order; more are written to a file."""


@dataclass
class CheckedPhotos:
    """Labelled photos, decoded; `name` is that of the data. After `diagnose` there are metrics.

    Names of classes in another order, if they are many, are written to the file `names`.
    """

    name: str
    photos: Photos
    names: Path
    metrics: Metrics | None = field(default=None)

    def diagnose(self, classifier: Classifier, console: Console) -> Diagnosis:
        """Measure the model as it is, and look for mistakes."""

        def tracked(batches: Iterable[int], total: int) -> Iterable[int]:
            return track(console, batches, total, what="classifying photos")

        diagnosis = diagnose(classifier, self.photos, track=tracked)
        asked, spec = diagnosis.asked, classifier.spec
        self.metrics = measure(asked.logits, asked.labels, spec.classes, multi_label=spec.multi_label)
        order = diagnosis.reordering
        if order is not None and not _is_printable(spec.classes):
            text = "".join(f"{name}\n" for name in order.renamed(spec.classes))
            write_atomically(self.names, text.encode("utf-8", "replace"))
        return diagnosis

    def to_json(self) -> dict[str, Any]:
        """The metrics for the provenance, and on which photos they were measured."""
        if self.metrics is None:
            return {}
        return {"metrics": {**self.metrics.to_json(), "split": "check"}, "checked_on": self.name}


def check_photos(options: ImportOptions, spec: Spec, console: Console) -> CheckedPhotos:
    """The photos of --check, as many as are asked for, evenly taken from all; raises BadData."""
    assert options.check is not None
    photos = read_photos(options, spec, console)
    return CheckedPhotos(options.check.resolve().name, photos, options.output.with_suffix(".classes.txt"))


def check_text(photos: CheckedPhotos, diagnosis: Diagnosis, spec: Spec) -> str:
    """What the check has found, for the terminal."""
    asked, count = diagnosis.asked, len(photos.photos)
    low, high = wilson(int(asked.right.sum()), count)
    lines = [
        f"{asked.accuracy:.2%} of {count:,} photos of {photos.name} are classified correctly (95 % interval {low:.2%} "
        f"to {high:.2%})",
        *_mistakes(diagnosis),
    ]
    if diagnosis.mistakes:
        lines.append(f"give {shlex.join(_words(photos, diagnosis, spec))}")
    if diagnosis.is_healthy:
        lines.append("no other normalisation, order of colours, resize, crop or order of classes does clearly better")
    return "\n".join([*lines, *_doubts(diagnosis)])


def refusal(diagnosis: Diagnosis) -> str:
    """Why no checkpoint was written, and what to do next."""
    if diagnosis.is_unexplained:
        return "no checkpoint was written: give --anyway to write it as it is"
    return "no checkpoint was written: repeat the command with the options above, or with --anyway to write it as it is"


def _mistakes(diagnosis: Diagnosis) -> list[str]:
    lines: list[str] = []
    together = ""
    for mistake in diagnosis.mistakes:
        if isinstance(mistake, Trial):
            name, after, before = mistake.alternative.name, mistake.scores.accuracy, mistake.before.accuracy
            losses = f"loss {mistake.scores.loss:.3g} instead of {mistake.before.loss:.3g}, p = {mistake.p_value:.1g}"
            if not mistake.is_better:  # but together with the order of the classes that follows
                together = f"{name}, and "
                continue
        else:
            name, after, before, losses = together + mistake.name, mistake.accuracy, mistake.before, ""
        lines.append(
            f"likely mistake: with {name}{' as well' if lines else ''} it would be {after:.2%} instead of {before:.2%}"
            f"{f' ({losses})' if losses else ''}"
        )
    return lines


def _words(photos: CheckedPhotos, diagnosis: Diagnosis, spec: Spec) -> list[str]:
    """The options of the command that undo all mistakes."""
    options: dict[str, str] = {}
    for trial in diagnosis.better:
        options |= trial.alternative.options
    if diagnosis.reordering is not None:
        names = diagnosis.reordering.renamed(spec.classes)
        options["--classes"] = ",".join(names) if _is_printable(names) else str(photos.names)
    return [word for name, value in options.items() for word in (name, value) if word]


def _is_printable(names: Sequence[str]) -> bool:
    """Whether the names can be given on the command line."""
    return len(names) <= PRINTED and not any("," in name for name in names)


def _doubts(diagnosis: Diagnosis) -> list[str]:
    """What the check cannot tell."""
    labels, order = diagnosis.asked.labels, diagnosis.reordering
    count, seen = len(labels), len(labels.unique())
    lines = []
    if diagnosis.is_unexplained:
        lines.append(
            "the accuracy is at chance level, and nothing that was tried helps: are the weights those of this "
            "architecture, trained, and are --classes and the labels of the photos right?"
        )
        if count < 2 * seen:
            lines.append("an unusual order of the classes is found only with two photos or more of most classes")
    if order is not None and order.is_fitted and seen < len(order.order):
        lines.append(
            f"there are photos of {seen:,} of the {len(order.order):,} classes: the order of the others is a guess"
        )
    if seen == 1:
        lines.append("all photos are of one class: whether the model tells classes apart was not measured")
    elif count < ENOUGH:
        lines.append(f"with {count:,} photos only large mistakes are found: {ENOUGH} or more are better")
    return lines
