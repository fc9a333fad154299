"""The check of an imported model on labelled photos: how many it gets right, and what may be wrong with it."""

import itertools
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from models.classifier import Classifier
from models.files import write_atomically
from models.spec import Spec
from training.console import print_line, track
from training.importing.class_order import Reordering
from training.importing.doctor import Diagnosis, diagnose
from training.importing.options import ImportOptions
from training.importing.photos import ENOUGH, Photos, read_photos
from training.importing.trial import Scores, Trial
from training.metrics import Metrics, measure, wilson

UNEXPLAINED = "the accuracy is at chance level, and nothing that was tried helps"
ASK = "are the weights those of this architecture, trained, and are --classes and the labels of the photos right?"
PRINTED = 40
"""Largest number of classes whose names are printed in another order; more are written to a file."""


@dataclass
class CheckedPhotos:
    """Labelled photos, decoded; `name` is that of the data, and `on` says of which of its splits they are.

    Names of classes in another order, if they are many, are written to the file `names`. After `diagnose` there are
    metrics, and `findings` are the mistakes that it has found, as sentences.
    """

    name: str
    photos: Photos
    on: str
    names: Path
    metrics: Metrics | None = field(default=None)
    findings: list[str] = field(default_factory=list)

    @property
    def described(self) -> str:
        """The data, and the splits if it has some."""
        return self.name if self.on == "all" else f"{self.name} ({self.on})"

    def diagnose(self, classifier: Classifier, console: Console) -> Diagnosis:
        """Measure the model as it is, print its accuracy, and look for mistakes."""

        def tracked(batches: Iterable[int], total: int) -> Iterable[int]:
            return track(console, batches, total, what="classifying photos")

        def asked_first(scores: Scores) -> None:
            print_line(console, accuracy_text(self.described, scores))

        diagnosis = diagnose(classifier, self.photos, track=tracked, asked_first=asked_first)
        asked, spec = diagnosis.asked, classifier.spec
        logits = asked.logits[:, : len(spec.classes)]
        self.metrics = measure(logits, asked.labels, spec.classes, multi_label=spec.multi_label)
        self.findings = [*_mistakes(diagnosis), *([UNEXPLAINED] if diagnosis.is_unexplained else [])]
        order = diagnosis.reordering
        if order is not None and not _is_printable(spec.classes):
            self.names = _unused(self.names)
            text = "".join(f"{name}\n" for name in order.renamed(spec.classes))
            write_atomically(self.names, text.encode("utf-8", "replace"))
        return diagnosis

    def to_json(self) -> dict[str, Any]:
        """The metrics for the provenance, and on which photos they were measured."""
        if self.metrics is None:
            return {}
        return {"metrics": {**self.metrics.to_json(), "split": self.on}, "checked_on": self.name}


def check_photos(options: ImportOptions, spec: Spec, console: Console) -> CheckedPhotos:
    """The photos of --check, as many as are asked for, evenly taken from all; raises BadData."""
    assert options.check is not None
    photos, on = read_photos(options, spec, console)
    return CheckedPhotos(options.check.resolve().name, photos, on, options.output.with_suffix(".classes.txt"))


def _unused(file: Path) -> Path:
    """This file, or one with a number in its name if there is a file of that name already."""
    numbered = (file.with_suffix(f".{number}.txt") for number in itertools.count(2))
    return next(path for path in itertools.chain([file], numbered) if not path.exists())


def accuracy_text(name: str, asked: Scores) -> str:
    """How many photos of the data of this name the model classifies correctly, for the terminal."""
    count = len(asked.labels)
    low, high = wilson(int(asked.right.sum()), count)
    return (
        f"{asked.accuracy:.2%} of {count:,} photos of {name} are classified correctly (95 % interval {low:.2%} to "
        f"{high:.2%})"
    )


def check_text(photos: CheckedPhotos, diagnosis: Diagnosis, spec: Spec) -> str:
    """The mistakes that the check has found, and what it cannot tell, for the terminal."""
    lines = _mistakes(diagnosis)
    if diagnosis.mistakes:
        lines.append(f"give {shlex.join(_words(photos, diagnosis, spec))}")
    if diagnosis.is_healthy and not diagnosis.is_of_one_class:
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
    for mistake, after_it in zip(diagnosis.mistakes, [*diagnosis.mistakes[1:], None], strict=False):
        if isinstance(mistake, Trial):
            name, after, before = mistake.alternative.name, mistake.scores.accuracy, mistake.before.accuracy
            losses = f"loss {mistake.scores.loss:.3g} instead of {mistake.before.loss:.3g}, p = {mistake.p_value:.1g}"
            if isinstance(after_it, Reordering) and not mistake.is_better:  # but it is together with the order
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
        lines.append(f"{UNEXPLAINED}: {ASK}")
        if count < 2 * seen:
            lines.append("an unusual order of the classes is found only with two photos or more of most classes")
    if order is not None and order.is_fitted and seen < len(order.order):
        lines.append(
            f"there are photos of {seen:,} of the {len(order.order):,} classes: the order of the others is a guess"
        )
    if seen == 1:
        lines.append(
            "all photos are of one class: whether the model tells it from others was not measured, and mistakes were "
            "not looked for"
        )
    elif count < ENOUGH:
        lines.append(f"with {count:,} photos only large mistakes are found: {ENOUGH} or more are better")
    return lines
