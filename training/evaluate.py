"""How good a classifier is: accuracy with its interval, per class, confusion, calibration."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from training.loaders import Batch

BINS = 15
TEMPERATURES = (0.25, 10.0)
"""Where all of a small validation split is right, its likelihood asks for 0: no reason to be that sure."""


@dataclass(frozen=True)
class Metrics:
    """Figures over one side of the split; fractions in [0, 1], `nll` in nats, `interval` is Wilson's of 95 %.

    `confusion[i][j]` counts photos of class i that were taken for class j, in the order of `per_class`.
    """

    photos: int
    correct: int
    accuracy: float
    interval: tuple[float, float]
    nll: float
    ece: float
    per_class: dict[str, dict[str, float]]
    confusion: list[list[int]]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


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


def measure(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], classes: Sequence[str]) -> Metrics:
    """All figures from the logits."""
    predicted = logits.argmax(dim=1)
    size = len(classes)
    confusion = torch.bincount(labels * size + predicted, minlength=size * size).reshape(size, size).tolist()
    correct = int((predicted == labels).sum())
    return Metrics(
        photos=len(labels),
        correct=correct,
        accuracy=correct / len(labels),
        interval=wilson(correct, len(labels)),
        nll=functional.cross_entropy(logits.double(), labels).item(),
        ece=expected_calibration_error(logits, labels),
        per_class={name: _of_class(confusion[index], index) for index, name in enumerate(classes)},
        confusion=confusion,
    )


def _of_class(row: list[int], index: int) -> dict[str, float]:
    photos = sum(row)
    return {"photos": photos, "correct": row[index], "accuracy": row[index] / max(1, photos)}


def wilson(correct: int, photos: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a fraction (Wilson 1927); z = 1.96 for 95 %."""
    fraction, share = correct / photos, z * z / photos
    centre = (fraction + share / 2) / (1 + share)
    reach = z * math.sqrt(fraction * (1 - fraction) / photos + share / (4 * photos)) / (1 + share)
    # Rounding may put a bound a hair past what was seen.
    return max(0.0, min(fraction, centre - reach)), min(1.0, max(fraction, centre + reach))


def expected_calibration_error(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], bins: int = BINS) -> float:
    """Mean distance between confidence and accuracy over equal bins of confidence (Guo et al. 2017)."""
    confidence, predicted = logits.double().softmax(dim=1).max(dim=1)
    right = (predicted == labels).double()
    which = (confidence * bins).long().clamp(max=bins - 1)
    # Within a bin: |sum of confidences - number right| / n; the bin's own size cancels out.
    gaps = torch.zeros(bins, dtype=torch.float64).index_add_(0, which, confidence - right)
    return (gaps.abs().sum() / len(labels)).item()


def best_temperature(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"]) -> float:
    """The temperature of least negative log-likelihood (Guo et al. 2017, arxiv.org/abs/1706.04599).

    The likelihood is concave in 1/T, so bisecting on the sign of its slope finds the one optimum; where there is
    none within TEMPERATURES (every photo right, or the scores worthless) the nearer bound is the answer.
    """
    scores = logits.double()
    own = scores.gather(1, labels.unsqueeze(1)).squeeze(1)
    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    for _ in range(60):
        middle = (low + high) / 2
        expected = ((scores * middle).softmax(dim=1) * scores).sum(dim=1)
        rising = (own - expected).mean() > 0
        low, high = (middle, high) if rising else (low, middle)
    return 2 / (low + high)
