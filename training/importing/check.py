"""The check of an imported model on labelled photos: how many it gets right, and what may be wrong with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import UInt8
from rich.console import Console
from torch import Tensor

from models.classes import UnknownClass
from models.classifier import Classifier
from models.spec import Spec
from training.console import print_line, track
from training.data.layout.layout import Layout, check_renamed_folders, layout
from training.data.loading.batches import LabelledPhotos, evenly_spaced
from training.data.scan.scan_source import scan_files
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData
from training.importing.doctor import Diagnosis, Trial, diagnose
from training.importing.options import ImportOptions
from training.metrics import Metrics, measure, wilson


@dataclass
class CheckedPhotos:
    """Labelled photos, decoded; `name` is that of the data. After `diagnose` there are metrics."""

    name: str
    photos: Sequence[tuple[UInt8[Tensor, "3 _ _"], int]]
    metrics: Metrics | None = field(default=None)

    def diagnose(self, classifier: Classifier, console: Console) -> Diagnosis:
        """Measure the model as it is, and look for mistakes."""

        def tracked(trials: Iterator[Trial], total: int) -> Iterator[Trial]:
            return track(console, trials, what="trying other preprocessing", total=total)

        diagnosis = diagnose(classifier, self.photos, track=tracked)
        self.metrics = measure(diagnosis.asked.logits, diagnosis.labels, classifier.spec.classes)
        return diagnosis

    def to_json(self) -> dict[str, Any]:
        """The metrics for the provenance, and on which photos they were measured."""
        if self.metrics is None:
            return {}
        return {"metrics": {**self.metrics.to_json(), "split": "check"}, "checked_on": self.name}


def check_photos(options: ImportOptions, spec: Spec, console: Console) -> CheckedPhotos:
    """The photos of --check, as many as are asked for, evenly taken from all; raises BadData."""
    assert options.check is not None
    source = open_source(options.check, options.data_options, unpacked=options.cache.unpacked)
    data_layout = layout(source, options.data_options, least=1)
    for message in data_layout.notes:
        print_line(console, message)
    index_of = _indices(data_layout, spec, options.renamed, console)
    scan = scan_files(source, data_layout, workers=options.workers, console=console, cache=options.cache)
    if not scan.photos:
        raise BadData("there are no usable photos: `python -m training check` lists the files, and what is wrong")
    data = LabelledPhotos(source, scan.photos, index_of)
    chosen = evenly_spaced(options.photos, len(data))
    photos = [(data.pixels(index), data.label(index)) for index in track(console, chosen, len(chosen), what="reading")]
    return CheckedPhotos(options.check.resolve().name, photos)


def _indices(data_layout: Layout, spec: Spec, renamed: Mapping[str, str], console: Console) -> dict[str, int]:
    """The index of the class of each folder; raises BadData where the model has none of that name.

    Where the classes of the model have only numbers, and there are as many folders, these are taken in the order of
    their names, in which most training scripts number them.
    """
    check_renamed_folders(data_layout, renamed)
    numbered = spec.classes == tuple(map(str, range(len(spec.classes))))
    folders = list(data_layout.folders)
    indices = {}
    for folder in folders:
        name = renamed.get(folder) or data_layout.names.get(folder) or folder
        try:
            indices[folder] = spec.names.find(name)
        except UnknownClass as error:
            if numbered and len(folders) == len(spec.classes):
                order = sorted(folders)
                print_line(
                    console,
                    "the classes have no names, so the folders are taken in the order of theirs: if the accuracy is "
                    f"right, give --classes {','.join(order)}",
                )
                return {name: index for index, name in enumerate(order)}
            raise BadData(
                f"the model has no class for the folder {folder!r} ({error}): give --rename '{folder}=CLASS'"
            ) from error
    return indices


def check_text(photos: CheckedPhotos, diagnosis: Diagnosis, spec: Spec) -> str:
    """What the check has found, for the terminal."""
    count = len(photos.photos)
    low, high = wilson(int(diagnosis.asked.right.sum()), count)
    lines = [
        f"{diagnosis.asked.accuracy:.2%} of {count:,} photos of {photos.name} are classified correctly (95 % interval "
        f"{low:.2%} to {high:.2%})"
    ]
    before = diagnosis.asked.accuracy
    for number, trial in enumerate(diagnosis.better):
        on_top = "and with" if number else "with"
        lines.append(
            f"likely mistake: {on_top} {trial.name} it would be {trial.scores.accuracy:.2%} instead of {before:.2%} "
            f"(the log-probability of the true class rises by {trial.gain:.2f}, which is {trial.sigmas:.1f} standard "
            f"errors): give {trial.options}"
        )
        before = trial.scores.accuracy
    order = diagnosis.reordering
    if order is not None:
        lines.append(
            f"likely mistake: with {_order_text(order.name)} it would be {order.accuracy:.2%} instead of "
            f"{order.before:.2%}: give the names in the order of the outputs, {_names(order.renamed(spec.classes))}"
        )
    if diagnosis.is_healthy:
        lines.append("no other normalisation, order of colours, resize, crop or order of classes does clearly better")
    return "\n".join(lines)


def _order_text(name: str) -> str:
    return "the classes in another order" if name == "another" else f"the classes in {name} order"


def _names(names: Sequence[str]) -> str:
    return f"--classes {','.join(names)}" if len(names) <= 40 else f"which begin with {','.join(names[:8])}"
