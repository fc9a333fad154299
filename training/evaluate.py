"""Evaluation of a classifier on any data set: its metrics, and its accuracy under attack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from rich.console import Console
from torch import Tensor

from models import checkpoint
from models.attacks.options import choose_attack
from models.store import Model, load
from training.cache import Cache
from training.console import print_line, track
from training.data.layout.layout import Layout, layout
from training.data.loading.batches import LabelledPhotos, serving_batches
from training.data.options import SPLITS, DataOptions
from training.data.scan.findings import Photo, Scan
from training.data.scan.scan_source import scan_files
from training.data.sources.open_source import UNPACKED, open_source
from training.data.sources.source import BadData, Source
from training.data.split import split
from training.folder_classes import class_indices
from training.metrics import Metrics, gather, measure
from training.rare import rare_class_warnings
from training.recipe import Recipe
from training.report.folder import write_report
from training.robustness import checked_options, curve_text, robustness, sampled

MAX_CLASS_LINES = 100
"""Largest number of classes for which each class has a line in the terminal."""


@dataclass(frozen=True)
class EvaluationOptions:
    """Which model is evaluated (the name of a served model, or a checkpoint file), on which photos, under which attack.

    `on` names the photos: train, validation, test, all or auto. "auto" is the test split if the data has one, or if the
    model was trained on this data; else all photos. `attack` has the arguments of `robustness`, and is empty for no
    attack; at most `photos` photos are attacked.
    """

    model: str
    data: Path
    on: str = "auto"
    renamed: Mapping[str, str] = field(default_factory=dict)
    data_options: DataOptions = field(default_factory=DataOptions)
    attack: Mapping[str, Any] = field(default_factory=dict)
    photos: int = 500
    report: Path | None = None
    workers: int = 0
    cache: Cache | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    batch_size: int = 64


def evaluate(options: EvaluationOptions, console: Console) -> tuple[Metrics, dict[str, Any] | None]:
    """The metrics, and the curve of accuracy under attack if there is an attack; with `report` also an HTML page.

    Both are printed as soon as they are known. Raises BadData, BadAttack, and the errors of loading a model.
    """
    if options.attack:  # wrong options are reported before the photos are read
        checked_options(**options.attack)
    model = load_model(options.model, options.device)
    if options.attack:  # so is an attack that needs gradients where the model has none
        choose_attack(options.attack.get("attack", "apgd"), {}, differentiable=model.spec.differentiable)
    source, data_layout = open_data(options, console)
    index_of = class_indices_of(data_layout, model, options.renamed, console)
    scan = scan_files(source, data_layout, workers=options.workers, console=console, cache=options.cache)
    on, photos = choose_photos(options.on, scan, data_layout, model)
    print_photos(on, photos, console)
    if (options.on, on) == ("auto", "all") and set(data_layout.folders) == set(training_folders(model)):
        message = f"the classes are those of {model.name}, but the photos differ from its training data, of which some"
        print_line(console, f"{message} may be among them: the metrics may then be too good")
    data = LabelledPhotos(source, photos, index_of)
    logits, metrics = classify_photos(options, model, data, console)
    print_line(console, metrics_text(metrics))
    weights = model.provenance.get("recipe", {}).get("class_weights")
    for warning in rare_class_warnings({**metrics.to_json(), "split": on}, weights):
        print_line(console, f"warning: {warning}")
    curve = under_attack(options, model, data, console) if options.attack else None
    if options.report is not None:
        provenance = {
            "metrics": {**metrics.to_json(), "split": on, "robustness": curve},
            "recipe": {"class_weights": weights},
        }
        write_report(options.report, data, model.spec, provenance, metrics, logits)
    return metrics, curve


def open_data(options: EvaluationOptions, console: Console) -> tuple[Source, Layout]:
    """The data with its class folders; prints what is to be said about them. Raises BadData."""
    unpacked = UNPACKED if options.cache is None else options.cache.unpacked
    source = open_source(options.data, options.data_options, unpacked=unpacked)
    data_layout = layout(source, options.data_options, least=1)
    for message in data_layout.notes:
        print_line(console, message)
    return source, data_layout


def print_photos(on: str, photos: Sequence[Photo], console: Console) -> None:
    """Print how many photos are measured, and which they are; raises BadData if there are none."""
    print_line(console, f"{len(photos):,} photos ({on})")
    if not photos:
        raise BadData(
            "there are no usable photos: `python -m training check` lists the files that cannot be used, and why"
        )


def classify_photos(
    options: EvaluationOptions, model: Model, data: LabelledPhotos, console: Console
) -> tuple[Float[Tensor, "n k"], Metrics]:
    """The logits of all photos, preprocessed as in the service, and the metrics."""
    batches = serving_batches(data, model.spec, batch_size=options.batch_size, workers=options.workers)
    tracked = track(console, batches, what="classifying photos", total=len(batches))
    logits, labels = gather(model.classifier.logits, tracked, options.device)
    if len(model.spec.classes) == 1:
        print_line(
            console,
            f"{model.name} has a single label, and all photos are of it: measured is in how many it is found, and not "
            "how often it is found in photos of something else",
        )
    return logits, measure(logits, labels, model.spec.classes, multi_label=model.spec.multi_label)


def under_attack(options: EvaluationOptions, model: Model, data: LabelledPhotos, console: Console) -> dict[str, Any]:
    """The curve of accuracy by budget, on photos that are evenly spaced in the data."""
    count = min(options.photos, len(data))
    curve = robustness(
        model.classifier,
        sampled(data, count),
        track=lambda results: track(console, results, what="attacking photos", total=count),
        **options.attack,
    )
    print_line(console, curve_text(curve))
    return curve


def load_model(name: str, device: torch.device) -> Model:
    """Load a checkpoint file, or a model by the name under which it is served."""
    file = Path(name)
    if file.suffix != ".safetensors":
        return load(name, device=device)
    classifier, loaded = checkpoint.load(file, device=device)
    return Model(file.stem, classifier, loaded.provenance)


def class_indices_of(data_layout: Layout, model: Model, renamed: Mapping[str, str], console: Console) -> dict[str, int]:
    """The index of the model's class for each folder; raises BadData if the model has no such class."""
    return class_indices(data_layout, model.spec, renamed, console, name=model.name, trained=training_folders(model))


def training_folders(model: Model) -> dict[str, str]:
    """The class name of each folder of the data that the model was trained on."""
    return {folder: name for name, folder in model.provenance.get("data", {}).get("folders", {}).items()}


def was_trained_on(model: Model, scan: Scan) -> bool:
    """Whether exactly these photos are the data that the model was trained on, with its validation and test splits."""
    return bool(model.provenance.get("data", {}).get("files_digest") == scan.digest)


def choose_photos(on: str, scan: Scan, data_layout: Layout, model: Model) -> tuple[str, tuple[Photo, ...]]:
    """The photos to measure on, and which they are (train, validation, test, all); raises BadData.

    On photos that the model was trained on the metrics would be too good.
    """
    present = {photo.split for photo in scan.photos} - {""}
    is_training_data = was_trained_on(model, scan)
    if on == "auto":
        on = "test" if is_training_data or "test" in present else "all"
    if on == "all":
        return "all", scan.photos
    if on not in SPLITS:
        raise BadData(f"--on is auto, all, {', '.join(SPLITS[:-1])} or {SPLITS[-1]}, not {on!r}")
    recipe = model.provenance["recipe"] if is_training_data else vars(Recipe())
    fractions = {name: recipe[name] for name in ("validation", "test", "seed")}
    parts = split(scan.photos, data_layout.folders, **fractions)
    if is_training_data and parts.digest != model.provenance["data"]["split_digest"]:
        raise BadData(
            f"{model.name} was trained on another split of these photos, so that its {on} split is not known: "
            "--on all measures on all of them"
        )
    return on, parts.by_name[on]


def headline(metrics: Metrics) -> str:
    """The metrics of all classes together, as one line."""
    low, high = metrics.interval
    return (
        f"top-1 {metrics.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}), balanced accuracy "
        f"{metrics.balanced_accuracy:.2%}, top-3 {metrics.top3:.2%}, "
        f"calibration error {metrics.ece:.4f}, negative log-likelihood {metrics.nll:.4f}"
    )


def metrics_text(metrics: Metrics) -> str:
    """The metrics as lines for a terminal."""
    lines = [headline(metrics)]
    if len(metrics.per_class) <= MAX_CLASS_LINES:
        lines += [
            f"  {name}: " + ("no photos" if row["accuracy"] is None else f"{row['accuracy']:.2%} of {row['photos']:,}")
            for name, row in metrics.per_class.items()
        ]
    lines += [f"  {name} classified as {predicted}: {count}" for name, predicted, count in metrics.mistaken()[:10]]
    return "\n".join(lines)
