"""How good a classifier is on any data: its figures, and its accuracy under attack."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from models import checkpoint
from models.classes import UnknownClass
from models.store import Model, load
from training.cache import Cache
from training.console import print_line, track
from training.data.layout.layout import Layout, check_renamed_folders, layout
from training.data.loading.batches import LabelledPhotos, serving_batches
from training.data.options import SPLITS, DataOptions
from training.data.scan.findings import Photo, Scan
from training.data.scan.scan_source import scan_files
from training.data.sources.open_source import UNPACKED, open_source
from training.data.sources.source import BadData
from training.data.split import split
from training.metrics import Metrics, gather, measure
from training.rare import rare_class_warnings
from training.recipe import Recipe
from training.report.folder import write_report
from training.robustness import checked_options, robustness, sampled

LISTED = 100
"""Classes up to which each has a line."""


@dataclass(frozen=True)
class EvaluationOptions:
    """Which model is asked (a name that is served, or a checkpoint's file), on which photos, under what attack.

    `side` "auto" is the test side where the data has one, or is what the model was trained on; else all photos.
    `attack` has what `robustness` takes, or nothing; `photos` is on how many at most.
    """

    model: str
    data: Path
    side: str = "auto"
    renamed: Mapping[str, str] = field(default_factory=dict)
    data_options: DataOptions = field(default_factory=DataOptions)
    attack: Mapping[str, Any] = field(default_factory=dict)
    photos: int = 500
    report: Path | None = None
    workers: int = 0
    cache: Cache | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    batch_size: int = 64


def evaluate(question: EvaluationOptions, console: Console) -> tuple[Metrics, dict[str, Any] | None]:
    """The figures, and the curve of accuracy under attack, where one was asked for; with `report` as a page too.

    Both are told as soon as they are known: an attack on hundreds of photos takes its time. Raises BadData, BadAttack,
    and what loading a model raises.
    """
    if question.attack:  # what is wrong with it is told before the photos are gone through
        checked_options(**question.attack)
    model = load_model(question.model, question.device)
    unpacked = UNPACKED if question.cache is None else question.cache.unpacked
    source = open_source(question.data, question.data_options, unpacked=unpacked)
    found = layout(source, question.data_options, least=1)
    for line in found.notes:
        print_line(console, line)
    index_of = class_indices(found, model, question.renamed)
    scan = scan_files(source, found, workers=question.workers, console=console, cache=question.cache)
    side, photos = chosen_side(question.side, scan, found, model)
    print_line(console, f"{len(photos):,} photos ({side})")
    if not photos:
        raise BadData("there is nothing to measure on: `check` lists the files that cannot be used, and why")
    if (question.side, side) == ("auto", "all") and set(found.folders) == set(own_folders(model)):
        print_line(console, f"they are not exactly those that {model.name} was trained on: it may have seen some")
    data = LabelledPhotos(source, photos, index_of)
    batches = serving_batches(data, model.spec, batch_size=question.batch_size, workers=question.workers)
    tracked = track(console, batches, what="classifying", total=len(batches))
    logits, labels = gather(model.classifier.logits, tracked, question.device)
    metrics = measure(logits, labels, model.spec.classes)
    print_line(console, metrics_text(metrics))
    weights = model.provenance.get("recipe", {}).get("class_weights")
    for warning in rare_class_warnings({**metrics.to_json(), "split": side}, weights):
        print_line(console, f"warning: {warning}")
    curve = under_attack(question, model, data, console) if question.attack else None
    if question.report is not None:
        story = {
            "metrics": {**metrics.to_json(), "split": side, "robustness": curve},
            "recipe": {"class_weights": weights},
        }
        write_report(question.report, data, model.spec, story, metrics, logits)
    return metrics, curve


def under_attack(question: EvaluationOptions, model: Model, data: LabelledPhotos, console: Console) -> dict[str, Any]:
    """The curve on photos spread evenly over the data."""
    count = min(question.photos, len(data))
    curve = robustness(
        model.classifier,
        sampled(data, count),
        track=lambda results: track(console, results, what="attacking", total=count),
        **question.attack,
    )
    print_line(console, curve_text(curve))
    return curve


def load_model(name: str, device: torch.device) -> Model:
    """A checkpoint's file, or a model by the name that it is served under."""
    file = Path(name)
    if file.suffix != ".safetensors":
        return load(name, device=device)
    classifier, found = checkpoint.load(file, device=device)
    return Model(file.stem, classifier, found.provenance)


def class_indices(found: Layout, model: Model, renamed: Mapping[str, str]) -> dict[str, int]:
    """The model's class of each folder: as renamed, as in its own training data, or by the folder's name."""
    check_renamed_folders(found, renamed)
    own = own_folders(model)
    indices = {}
    for folder in found.folders:
        name = renamed.get(folder) or own.get(folder) or found.names.get(folder) or folder
        try:
            indices[folder] = model.spec.names.find(name)
        except UnknownClass as error:
            raise BadData(
                f"{folder!r} is no class of {model.name}: give --rename '{folder}=CLASS' ({error})"
            ) from error
    return indices


def own_folders(model: Model) -> dict[str, str]:
    """The class of each folder that the model was trained on."""
    return {folder: name for name, folder in model.provenance.get("data", {}).get("folders", {}).items()}


def chosen_side(wanted: str, scan: Scan, found: Layout, model: Model) -> tuple[str, tuple[Photo, ...]]:
    """The side's name and photos; photos that a model was trained on would flatter it."""
    given = {photo.split for photo in scan.photos} - {""}
    trained = model.provenance.get("data", {}).get("files_digest") == scan.digest
    if wanted == "auto":
        wanted = "test" if trained or "test" in given else "all"
    if wanted == "all":
        return "all", scan.photos
    if wanted not in SPLITS:
        raise BadData(f"there is no side {wanted!r}: choose one of auto, all, {', '.join(SPLITS)}")
    recipe = model.provenance["recipe"] if trained else vars(Recipe())
    fractions = {name: recipe[name] for name in ("validation", "test", "seed")}
    sides = split(scan.photos, found.folders, **fractions)
    if trained and sides.digest != model.provenance["data"]["split_digest"]:
        raise BadData(f"{model.name} was trained on another split of these photos: --side all measures on all of them")
    return wanted, sides.by_name[wanted]


def metrics_text(metrics: Metrics) -> str:
    """The figures in lines for a terminal."""
    low, high = metrics.interval
    lines = [
        f"top-1 {metrics.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}), balanced accuracy "
        f"{metrics.balanced_accuracy:.2%}, top-3 {metrics.top3:.2%}, "
        f"calibration error {metrics.ece:.4f}, negative log-likelihood {metrics.nll:.4f}"
    ]
    if len(metrics.per_class) <= LISTED:
        lines += [
            f"  {name}: " + ("no photos" if row["accuracy"] is None else f"{row['accuracy']:.2%} of {row['photos']:,}")
            for name, row in metrics.per_class.items()
        ]
    lines += [f"  {name} taken for {other}: {count}" for name, other, count in metrics.mistaken()[:10]]
    return "\n".join(lines)


def curve_text(curve: Mapping[str, Any]) -> str:
    """Accuracy by budget, in lines for a terminal."""
    scale, unit = (255, "/255") if curve["norm"] == "linf" else (1, "")
    lines = [f"under {curve['attack']} ({curve['norm']}, {json.dumps(curve['options'])}), {curve['photos']} photos:"]
    lines += [
        f"  within {row['epsilon'] * scale:g}{unit}: {row['accuracy']:.2%} "
        f"({row['interval'][0]:.2%} to {row['interval'][1]:.2%}), balanced {row['balanced_accuracy']:.2%}"
        for row in curve["curve"]
    ]
    return "\n".join(lines)
