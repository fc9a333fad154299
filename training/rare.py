"""Classes with few photos: what their photos weigh in the loss, and a warning where none of them is recognised."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

NAMED = 10
"""Classes that a warning names."""


def class_weights(labels: Int64[Tensor, " n"], classes: int) -> Float[Tensor, " k"]:
    """A weight per class, inverse to its number of training photos; over these photos the weights have the mean 1.

    So all classes together weigh the same in the loss, and its size, and with it what a learning rate means, stays. A
    class without photos has the weight 0: no photo of it is ever weighed.
    """
    counts = torch.bincount(labels, minlength=classes).double()
    there = counts > 0
    shares = len(labels) / (there.sum() * counts.clamp(min=1))
    return torch.where(there, shares, 0.0)


def training_loss(
    logits: Float[Tensor, "n k"],
    wanted: Tensor,
    *,
    smoothing: float = 0.0,
    weights: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, ""]:
    """Mean cross-entropy; with weights the loss of each photo is multiplied by the weight of its class.

    `wanted` are class indices [n], or fractions of classes [n, k] as mixup makes them: then each fraction counts with
    the weight of its own class. The sum is divided by the number of photos and not by their weights, so that the mean
    over several processes is that of the whole batch.
    """
    if weights is None:
        return functional.cross_entropy(logits, wanted, label_smoothing=smoothing)
    fractions = wanted if wanted.ndim == 2 else functional.one_hot(wanted, logits.shape[1])
    weighed = fractions * weights.to(logits)
    # Smoothing spreads a part of each photo's own weight evenly: a rare class gains nothing by the photos of others.
    smoothed = (1 - smoothing) * weighed + smoothing * weighed.mean(dim=1, keepdim=True)
    return -(smoothed * logits.log_softmax(dim=1)).sum(dim=1).mean()


def rare_class_warnings(metrics: Mapping[str, Any], class_weights: str | None) -> list[str]:
    """Sentences for each split on which some class is never predicted, or only for photos of other classes: which
    classes, and what to do about it.

    `metrics` is plain JSON, as a checkpoint's provenance has it: those of its `split`, and of `validation` if it is
    there. `class_weights` is the recipe's choice, None where the recipe is not known.
    """
    splits = [(metrics.get("split", "test"), metrics), ("validation", metrics.get("validation"))]
    return [
        _warning(split, names, found["per_class"], class_weights, predicted=bool(predicted))
        for split, found in splits
        if found and "never_predicted" in found
        for predicted, names in enumerate((found["never_predicted"], _only_for_others(found)))
        if names
    ]


def _only_for_others(found: Mapping[str, Any]) -> list[str]:
    """Classes that are predicted, and none of whose own photos is."""
    return [
        name
        for name, row in found["per_class"].items()
        if row["photos"] and not row["correct"] and name not in found["never_predicted"]
    ]


def _warning(
    split: str, names: Sequence[str], per_class: Mapping[str, Any], class_weights: str | None, *, predicted: bool
) -> str:
    photos = sum(per_class[name]["photos"] for name in names)
    one, single = len(names) == 1, photos == 1
    listed = ", ".join(f"'{name}'" for name in names[:NAMED])
    listed += f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    where = "on the photos measured" if split == "all" else f"on the {split} split"
    which = f"the class {listed} is" if one else f"the classes {listed} are"
    missed = (
        "its only photo there is"
        if single and one
        else f"all {photos:,} of {'its' if one else 'their'} photos there are"
    )
    never = "predicted only for photos of other classes" if predicted else "never predicted"
    return f"{which} {never} {where}: {missed} taken for other classes. {_advice(one, class_weights)}"


def _advice(one: bool, class_weights: str | None) -> str:
    more = f"train with more photos of {'it' if one else 'them'}"
    if class_weights == "balanced":
        return f"To change that, {more}; --class-weights balanced was already used."
    return f"To change that, {more}, or with --class-weights balanced."
