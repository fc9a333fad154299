"""The run's folder as a report: plots, the worst mistakes as thumbnails, and one page that shows them all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.files import write_atomically
from models.spec import Spec
from training.data.loading.batches import LabelledPhotos
from training.metrics import Metrics
from training.rare import rare_class_warnings
from training.report import plots
from training.report.page import Shown, document, figures, gallery, note, table, thumbnail

WORST = 24
"""Mistakes that are shown: those the model was surest of."""


def write_report(
    folder: Path,
    test: LabelledPhotos,
    spec: Spec,
    provenance: Mapping[str, Any],
    metrics: Metrics,
    logits: Float[Tensor, "n k"],
) -> None:
    """Write report.html, the plots beside it, and metrics.json; the photos in it are those of the data."""
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
        f"{metrics.accuracy:.2%} of {metrics.photos:,} {photos} right, balanced accuracy "
        f"{metrics.balanced_accuracy:.2%}"
    )
    said = rare_class_warnings(provenance["metrics"], provenance.get("recipe", {}).get("class_weights"))
    wrong = worst(test, spec, logits)
    body = [
        *map(note, said),
        figures(pictures),
        class_table(metrics),
        gallery(f"The {len(wrong)} surest mistakes", wrong),
    ]
    write_atomically(folder / "report.html", document(title, body).encode())


def class_table(metrics: Metrics) -> str:
    """Every class with its number, which stands for it in a plot where no font has its letters."""
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
    return table("Classes", ("number", "class", "photos", "accuracy", "photos taken for it"), rows)


def worst(test: LabelledPhotos, spec: Spec, logits: Float[Tensor, "n k"]) -> list[Shown]:
    """The wrong photos that the model was surest of, first the surest."""
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    wrong = (predicted != test.labels).nonzero().squeeze(1)
    order = wrong[torch.argsort(confidence[wrong], descending=True)][:WORST].tolist()
    return [
        Shown(
            thumbnail(test.pixels(index)),
            test.photos[index].name,
            f"{spec.classes[test.label(index)]}, taken for {spec.classes[predicted[index]]} ({confidence[index]:.1%})",
        )
        for index in order
    ]
