"""Metrics of a classifier that training and the service compute in the same way."""

from collections.abc import Mapping
from typing import Any


def balanced_accuracy(metrics: Mapping[str, Any]) -> float | None:
    """Balanced accuracy in [0, 1]: the mean recall of the classes that have photos, so that rare classes count equally.

    `metrics` are those of a checkpoint's provenance. Older checkpoints do not store this number; it is computed from
    the counts of each class. None if the metrics have neither, since a file from elsewhere may contain anything.
    """
    stored, per_class = metrics.get("balanced_accuracy"), metrics.get("per_class")
    if isinstance(stored, float | int) and not isinstance(stored, bool):
        return float(stored)
    rows = list(per_class.values()) if isinstance(per_class, dict) else []
    counts = [(row.get("photos"), row.get("correct")) for row in rows if isinstance(row, dict)]
    known = [(photos, correct) for photos, correct in counts if isinstance(photos, int) and isinstance(correct, int)]
    recalls = [correct / photos for photos, correct in known if photos > 0]
    return sum(recalls) / len(recalls) if recalls and len(known) == len(rows) else None
