"""Writes the report of a comparison: plots, figures, and a page with the photos that are classified differently."""

import json
from collections.abc import Iterator
from pathlib import Path

from models.files import write_atomically
from training.comparison import Comparison, DifferingPhoto, difference_text
from training.data.loading.batches import LabelledPhotos
from training.report import plots
from training.report.page import GalleryItem, document, figures, gallery, note, paragraph, table, thumbnail
from training.robustness import budget_text

MAX_PHOTOS = 24
"""Number of photos of each kind that the page shows: those with the most confident mistake."""


def write_comparison(folder: Path, comparison: Comparison, data: LabelledPhotos) -> None:
    """Write report.html, the plots and metrics.json into a folder. The page contains photos of the data."""
    names = comparison.names
    pictures = {"reliability.png": plots.reliability_of_models(dict(zip(names, comparison.metrics, strict=True)))}
    if comparison.robustness is not None:
        curves = dict(zip(names, comparison.robustness, strict=True))
        pictures["robustness.png"] = plots.robustness_of_models(curves)
    for name, picture in pictures.items():
        write_atomically(folder / name, picture)
    write_atomically(folder / "metrics.json", json.dumps(comparison.to_json(), indent=1).encode())
    first, second = names
    body = [
        *map(note, comparison.warnings),
        *(paragraph(f"{text}.") for text in comparison.notes),
        metrics_table(comparison),
        paragraph(f"Accuracy of {first} minus accuracy of {second}: {difference_text(comparison.counts)}."),
        counts_table(comparison),
        *robustness_table(comparison),
        *transfer_table(comparison),
        figures(pictures, "Plots"),
        *galleries(comparison, data),
        class_table(comparison),
    ]
    write_atomically(folder / "report.html", document(_title(comparison), body).encode())


def _title(comparison: Comparison) -> str:
    photos = "photos" if comparison.on == "all" else f"{comparison.on} photos"
    return f"{comparison.names[0]} and {comparison.names[1]} on {comparison.counts.photos:,} {photos}"


def metrics_table(comparison: Comparison) -> str:
    """A table with the metrics of both models side by side."""
    columns = [
        (
            f"{metrics.accuracy:.2%}",
            f"{metrics.interval[0]:.2%} to {metrics.interval[1]:.2%}",
            f"{metrics.balanced_accuracy:.2%}",
            f"{metrics.ece:.4f}",
            f"{metrics.nll:.4f}",
        )
        for metrics in comparison.metrics
    ]
    heads = (
        "accuracy",
        "95 % interval",
        "balanced accuracy",
        "expected calibration error",
        "negative log-likelihood",
    )
    return table("Metrics", ("metric", *comparison.names), zip(heads, *columns, strict=True))


def counts_table(comparison: Comparison) -> str:
    """A table of how many photos each model, both or neither classifies correctly."""
    counts, (first, second) = comparison.counts, comparison.names
    same = counts.neither - comparison.differently_wrong
    rows = (
        ("both", counts.both),
        (f"only {first}", counts.only_first),
        (f"only {second}", counts.only_second),
        ("neither, and both predict the same class", same),
        ("neither, and they predict different classes", comparison.differently_wrong),
    )
    return table("Photos", ("classified correctly by", "photos"), [(name, f"{count:,}") for name, count in rows])


def class_table(comparison: Comparison) -> str:
    """A table of the classes of the data with the accuracy of each model; those that differ most come first."""
    classes = [row for row in comparison.classes if row.photos]
    classes.sort(key=lambda row: -abs(row.correct[0] - row.correct[1]) / row.photos)
    rows = [
        (row.name, f"{row.photos:,}", *(f"{correct / row.photos:.2%}" for correct in row.correct)) for row in classes
    ]
    return table(
        "Classes, the most different accuracies first",
        ("class", "photos", *(f"accuracy of {name}" for name in comparison.names)),
        rows,
    )


def robustness_table(comparison: Comparison) -> list[str]:
    """A table of the accuracy of each model by the budget of the attack; nothing without an attack."""
    if comparison.robustness is None:
        return []
    first = comparison.robustness[0]
    rows = [
        (
            budget_text(pair[0]["epsilon"], first["norm"]) if pair[0]["epsilon"] else "no attack",
            *(f"{row['accuracy']:.2%} ({row['interval'][0]:.2%} to {row['interval'][1]:.2%})" for row in pair),
        )
        for pair in zip(*(curve["curve"] for curve in comparison.robustness), strict=True)
    ]
    title = f"Accuracy under {first['attack']} ({first['norm']}) on {first['photos']:,} photos, with 95 % intervals"
    return [table(title, ("budget", *comparison.names), rows)]


def transfer_table(comparison: Comparison) -> list[str]:
    """A table of how many attacks on each model transfer to the other one; nothing without an attack."""
    if comparison.transfer is None:
        return []
    rows = [
        (
            attacked,
            f"{result.photos:,}",
            f"{result.successful:,}",
            other,
            f"{result.transferred:,}",
            "no successes" if result.share is None else f"{result.share:.2%}",
            "" if result.interval is None else f"{result.interval[0]:.2%} to {result.interval[1]:.2%}",
        )
        for attacked, other, result in zip(comparison.names, comparison.names[::-1], comparison.transfer, strict=True)
    ]
    first = comparison.transfer[0]
    title = f"Transfer of attacks by {first.attack} within {budget_text(first.epsilon, first.norm)} ({first.norm})"
    explanation = (
        "Photos that both models classify correctly are attacked on one model, and the resulting 8-bit pictures are "
        "classified by the other one. The share says how many of the pictures that fool the attacked model fool the "
        "other one too."
    )
    heads = (
        *("attacked model", "photos", "attacks that succeed"),
        *("other model", "of these, how many fool it too", "share", "95 % interval of the share"),
    )
    return [table(title, heads, rows), paragraph(explanation)]


def galleries(comparison: Comparison, data: LabelledPhotos) -> Iterator[str]:
    """A section with thumbnails for each way in which the models differ about a photo."""
    first, second = comparison.names
    kinds = {
        (True, False): f"Classified correctly only by {first}",
        (False, True): f"Classified correctly only by {second}",
        (False, False): "Both are wrong, and predict different classes",
    }
    for kind, title in kinds.items():
        photos = [photo for photo in comparison.differing if photo.right == kind]
        shown = photos[:MAX_PHOTOS]
        count = f"{len(photos):,} photo{'s' * (len(photos) > 1)}"
        order = f"the {len(shown)} most confident mistakes of {count}" if len(photos) > len(shown) else count
        if photos:
            yield gallery(f"{title}: {order}", [_item(photo, comparison, data) for photo in shown])


def _item(photo: DifferingPhoto, comparison: Comparison, data: LabelledPhotos) -> GalleryItem:
    verdicts = zip(photo.predicted, comparison.names, photo.confidence, strict=True)
    predictions = " and ".join(
        f"as {predicted} by {name} ({confidence:.1%})" for predicted, name, confidence in verdicts
    )
    return GalleryItem(thumbnail(data.pixels(photo.index)), photo.name, f"{photo.label}, classified {predictions}")
