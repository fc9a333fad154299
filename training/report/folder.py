"""Writes the report of an evaluation: plots, metrics, and one HTML page with these and the worst mistakes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.files import write_atomically
from models.probabilities import probabilities
from models.spec import Spec
from training.data.loading.batches import LabelledPhotos
from training.metrics import Metrics
from training.rare import rare_class_warnings
from training.report import plots
from training.report.page import GalleryItem, document, figures, gallery, note, table, thumbnail

MAX_MISTAKES = 24
"""Number of mistakes that the page shows: those with the highest confidence."""


def write_report(
    folder: Path,
    test: LabelledPhotos,
    spec: Spec,
    provenance: Mapping[str, Any],
    metrics: Metrics,
    logits: Float[Tensor, "n k"],
) -> None:
    """Write report.html, the plots and metrics.json into a folder. The page contains photos of the data."""
    pictures = {
        "confusion.png": plots.confusion(metrics.confusion, spec.classes),
        "reliability.png": plots.reliability(metrics.reliability, metrics.ece),
    }
    if provenance.get("history"):
        pictures["curves.png"] = plots.curves(provenance["history"])
    if provenance["metrics"].get("robustness"):
        pictures["robustness.png"] = plots.robustness(provenance["metrics"]["robustness"])
    for name, data in pictures.items():
        write_atomically(folder / name, data)
    write_atomically(folder / "metrics.json", json.dumps(provenance["metrics"], indent=1).encode())
    split = provenance["metrics"].get("split", "test")
    photos = "photos" if split == "all" else f"{split} photos"
    title = (
        f"{metrics.accuracy:.2%} of {metrics.photos:,} {photos} classified correctly, balanced accuracy "
        f"{metrics.balanced_accuracy:.2%}"
    )
    warnings = rare_class_warnings(provenance["metrics"], provenance.get("recipe", {}).get("class_weights"))
    mistakes = worst_mistakes(test, spec, logits)
    body = [
        *map(note, warnings),
        figures(pictures),
        class_table(metrics),
        gallery(f"The {len(mistakes)} mistakes with the highest confidence", mistakes),
    ]
    write_atomically(folder / "report.html", document(title, body).encode())


def class_table(metrics: Metrics) -> str:
    """A table of all classes, with the numbers that stand for them in a plot where no font has the letters."""
    predicted = [sum(column) for column in zip(*metrics.confusion, strict=True)]
    rows = [
        (
            str(number),
            name,
            f"{row['photos']:,}",
            "no photos" if row["accuracy"] is None else f"{row['accuracy']:.2%}",
            f"{count:,}",
        )
        for number, ((name, row), count) in enumerate(zip(metrics.per_class.items(), predicted, strict=True))
    ]
    return table("Classes", ("number", "class", "photos", "accuracy", "photos classified as it"), rows)


def worst_mistakes(test: LabelledPhotos, spec: Spec, logits: Float[Tensor, "n k"]) -> list[GalleryItem]:
    """The misclassified photos with the highest confidence, in descending order."""
    confidence, predicted = probabilities(logits, spec).max(dim=1)
    wrong = (predicted != test.labels).nonzero().squeeze(1)
    order = wrong[torch.argsort(confidence[wrong], descending=True)][:MAX_MISTAKES].tolist()
    return [
        GalleryItem(
            thumbnail(test.pixels(index)),
            test.photos[index].name,
            f"{spec.classes[test.label(index)]}, classified as {spec.classes[predicted[index]]} "
            f"({confidence[index]:.1%})",
        )
        for index in order
    ]
