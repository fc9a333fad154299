"""Metrics of a classifier: accuracy with its interval, balanced accuracy, confusion matrix and calibration."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from models.figures import balanced_accuracy
from training.data.loading.batches import Batch

BINS = 15
"""Number of bins of confidence for the calibration error."""
MAX_MATRIX_CLASSES = 64
"""Largest number of classes for which a checkpoint's metadata has the whole confusion matrix."""
TEMPERATURES = (0.25, 10.0)
"""Smallest and largest temperature. If all photos of a small validation split are classified correctly, the likelihood
is largest at temperature 0, which would be overconfident."""


@dataclass(frozen=True)
class Metrics:
    """Metrics on one split: fractions in [0, 1], `nll` in nats, `interval` is the 95 % Wilson interval of accuracy.

    `balanced_accuracy` is the mean recall of the classes that have photos: a rare class counts as much as a frequent
    one. The `accuracy` of a class in `per_class` is its recall, None where it has no photos. `top3` is the fraction of
    photos whose class is among the three most probable. `confusion[i][j]` is the number of photos of class i that are
    classified as class j, in the order of `per_class`. `reliability` has a row per bin of confidence: number of photos,
    mean confidence, accuracy.
    """

    photos: int
    correct: int
    accuracy: float
    balanced_accuracy: float
    interval: tuple[float, float]
    top3: float
    nll: float
    ece: float
    per_class: dict[str, dict[str, float | None]]
    confusion: list[list[int]]
    reliability: list[tuple[int, float, float]]

    def to_json(self) -> dict[str, Any]:
        """The metrics as JSON; with many classes it has the most frequent mistakes instead of the confusion matrix."""
        fields = {**asdict(self), "never_predicted": list(self.never_predicted)}
        fields["mistaken"] = [
            {"class": name, "taken_for": other, "photos": count} for name, other, count in self.mistaken()[:100]
        ]
        return fields if len(self.per_class) <= MAX_MATRIX_CLASSES else {**fields, "confusion": None}

    @property
    def never_predicted(self) -> tuple[str, ...]:
        """The classes that have photos, but that no photo is classified as."""
        predicted = [sum(column) for column in zip(*self.confusion, strict=True)]
        return tuple(
            name
            for name, row, count in zip(self.per_class, self.confusion, predicted, strict=True)
            if sum(row) and not count
        )

    def mistaken(self) -> list[tuple[str, str, int]]:
        """A class, another class that its photos are classified as, and how many; the most frequent pairs first."""
        names = list(self.per_class)
        mistakes = [
            (names[i], names[j], count)
            for i, row in enumerate(self.confusion)
            for j, count in enumerate(row)
            if i != j and count
        ]
        return sorted(mistakes, key=lambda row: (-row[2], row[0], row[1]))


def gather(
    scores: Callable[[Tensor], Float[Tensor, "n k"]], batches: Iterable[Batch], device: torch.device
) -> tuple[Float[Tensor, "n k"], Int64[Tensor, " n"]]:
    """Scores and labels of all photos, in order, in float32 on the CPU."""
    rows, labels = [], []
    with torch.no_grad():
        for pixels, label in batches:
            rows.append(scores(pixels.to(device)).float().cpu())
            labels.append(label)
    return torch.cat(rows), torch.cat(labels)


def measure(
    logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], classes: Sequence[str], *, multi_label: bool = False
) -> Metrics:
    """Compute all metrics from logits [n, k] and labels [n].

    With `multi_label` a probability is the sigmoid of its own logit; of several labels that a photo may have, only the
    given one is known. The most probable one is the prediction if it is found, and otherwise there is none: the photo
    is in no column of the confusion matrix.
    """
    predicted, right = logits.argmax(dim=1), are_right(logits, labels, multi_label=multi_label)
    size = len(classes)
    pairs = labels * size + predicted
    if multi_label:
        pairs = pairs[logits.amax(dim=1) >= 0]
    confusion = torch.bincount(pairs, minlength=size * size).reshape(size, size).tolist()
    correct = int(right.sum())
    photos, of_class = labels.bincount(minlength=size).tolist(), labels[right].bincount(minlength=size).tolist()
    per_class = {
        name: {"photos": count, "correct": own, "accuracy": own / count if count else None}
        for name, count, own in zip(classes, photos, of_class, strict=True)
    }
    balanced = balanced_accuracy({"per_class": per_class})
    assert balanced is not None  # there are photos, so at least one class has some
    return Metrics(
        photos=len(labels),
        correct=correct,
        accuracy=correct / len(labels),
        balanced_accuracy=balanced,
        interval=wilson(correct, len(labels)),
        top3=(logits.topk(min(3, size), dim=1).indices == labels.unsqueeze(1)).any(dim=1).double().mean().item(),
        nll=_negative_log_likelihood(logits.double(), labels, multi_label=multi_label),
        ece=expected_calibration_error(logits, labels, multi_label=multi_label),
        per_class=per_class,
        confusion=confusion,
        reliability=reliability(logits, labels, multi_label=multi_label),
    )


def _negative_log_likelihood(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], *, multi_label: bool) -> float:
    if multi_label:
        own = logits.gather(1, labels.unsqueeze(1))
        return -functional.logsigmoid(own).mean().item()
    return functional.cross_entropy(logits, labels).item()


def are_right(
    logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], *, multi_label: bool = False
) -> Bool[Tensor, " n"]:
    """Whether the label of each photo is the most probable one; with `multi_label` it must also be found.

    A label is found from a probability of one half on, which is a logit of 0.
    """
    right = logits.argmax(dim=1) == labels
    return right & (logits.amax(dim=1) >= 0) if multi_label else right


def wilson(correct: int, photos: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a fraction (Wilson 1927); z = 1.96 for 95 %."""
    fraction, share = correct / photos, z * z / photos
    centre = (fraction + share / 2) / (1 + share)
    reach = z * math.sqrt(fraction * (1 - fraction) / photos + share / (4 * photos)) / (1 + share)
    # Rounding errors may move a bound past the fraction itself.
    return max(0.0, min(fraction, centre - reach)), min(1.0, max(fraction, centre + reach))


def expected_calibration_error(
    logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], *, multi_label: bool = False
) -> float:
    """Mean difference between confidence and accuracy over bins of confidence of equal width (Guo et al. 2017)."""
    rows = reliability(logits, labels, multi_label=multi_label)
    return sum(photos * abs(confidence - accuracy) for photos, confidence, accuracy in rows) / len(labels)


def reliability(
    logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], *, multi_label: bool = False
) -> list[tuple[int, float, float]]:
    """Number of photos, mean confidence and accuracy in each of BINS bins of confidence; zeros where empty."""
    scores = logits.double()
    confidence, predicted = (scores.sigmoid() if multi_label else scores.softmax(dim=1)).max(dim=1)
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    photos = torch.bincount(bins, minlength=BINS)
    sums = [
        torch.zeros(BINS, dtype=torch.float64).index_add_(0, bins, values)
        for values in (confidence, (predicted == labels).double())
    ]
    means = [(total / photos.clamp(min=1)).tolist() for total in sums]
    return list(zip(photos.tolist(), *means, strict=True))


def best_temperature(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017, arxiv.org/abs/1706.04599).

    The log-likelihood is concave in 1/T, so that bisection on the sign of its derivative finds the only optimum. If it
    lies outside of TEMPERATURES (all photos right, or useless scores), the nearer bound is returned.
    """
    scores = logits.double()
    own = scores.gather(1, labels.unsqueeze(1)).squeeze(1)
    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    for _ in range(60):
        middle = (low + high) / 2
        expected = ((scores * middle).softmax(dim=1) * scores).sum(dim=1)
        is_rising = (own - expected).mean() > 0
        low, high = (middle, high) if is_rising else (low, middle)
    return 2 / (low + high)
