"""Rare classes: the weights of their photos in the loss, and warnings for classes that are never recognised."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

MAX_NAMES = 10
"""Largest number of classes that a warning names."""


def class_weights(labels: Int64[Tensor, " n"], classes: int) -> Float[Tensor, " k"]:
    """A weight for each class, inversely proportional to its number of training photos, with mean 1 over these photos.

    So each class contributes equally to the loss, and the magnitude of the loss stays the same, so that the same
    learning rates fit. A class without photos has the weight 0, which is never used.
    """
    counts = torch.bincount(labels, minlength=classes).double()
    has_photos = counts > 0
    weights = len(labels) / (has_photos.sum() * counts.clamp(min=1))
    return torch.where(has_photos, weights, 0.0)


def training_loss(
    logits: Float[Tensor, "n k"],
    targets: Tensor,
    *,
    smoothing: float = 0.0,
    weights: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, ""]:
    """Mean cross-entropy; with `weights` the loss of each photo is multiplied by the weight of its class.

    `targets` are class indices [n], or class probabilities [n, k] as mixup makes them; then each probability has the
    weight of its own class. The sum is divided by the number of photos and not by the sum of their weights, so that the
    mean over several processes is the loss of the whole batch.
    """
    if weights is None:
        return functional.cross_entropy(logits, targets, label_smoothing=smoothing)
    fractions = targets if targets.ndim == 2 else functional.one_hot(targets, logits.shape[1])
    weighted = fractions * weights.to(logits)
    # Smoothing distributes the photo's own weight over the classes, so that photos of frequent classes do not count for
    # rare classes.
    smoothed = (1 - smoothing) * weighted + smoothing * weighted.mean(dim=1, keepdim=True)
    return -(smoothed * logits.log_softmax(dim=1)).sum(dim=1).mean()


def rare_class_warnings(metrics: Mapping[str, Any], class_weights: str | None) -> list[str]:
    """A warning for each split on which a class is never predicted, or only for photos of other classes.

    `metrics` is JSON as in the provenance of a checkpoint: the metrics on its `split`, and those on `validation` if it
    has them. `class_weights` is the option of the recipe, None where the recipe is not known.
    """
    splits = [(metrics.get("split", "test"), metrics), ("validation", metrics.get("validation"))]
    return [
        _warning(split, names, values["per_class"], class_weights, predicted=bool(predicted))
        for split, values in splits
        if values and "never_predicted" in values
        for predicted, names in enumerate((values["never_predicted"], _only_for_others(values)))
        if names
    ]


def _only_for_others(metrics: Mapping[str, Any]) -> list[str]:
    """Classes that are predicted, but for none of their own photos."""
    return [
        name
        for name, row in metrics["per_class"].items()
        if row["photos"] and not row["correct"] and name not in metrics["never_predicted"]
    ]


def _warning(
    split: str, names: Sequence[str], per_class: Mapping[str, Any], class_weights: str | None, *, predicted: bool
) -> str:
    photos = sum(per_class[name]["photos"] for name in names)
    is_one_class, is_one_photo = len(names) == 1, photos == 1
    listed = ", ".join(f"'{name}'" for name in names[:MAX_NAMES])
    listed += f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    place = "on the photos measured" if split == "all" else f"on the {split} split"
    subject = f"the class {listed} is" if is_one_class else f"the classes {listed} are"
    missed = (
        "its only photo there is"
        if is_one_photo and is_one_class
        else f"all {photos:,} of {'its' if is_one_class else 'their'} photos there are"
    )
    never = "predicted only for photos of other classes" if predicted else "never predicted"
    return f"{subject} {never} {place}: {missed} classified as other classes. {_advice(is_one_class, class_weights)}"


def _advice(is_one_class: bool, class_weights: str | None) -> str:
    more = f"train with more photos of {'it' if is_one_class else 'them'}"
    if class_weights == "balanced":
        return f"To change that, {more}; --class-weights balanced was already used."
    return f"To change that, {more}, or with --class-weights balanced."
