"""What a comparison of two classifiers on the same photos has found."""

from dataclasses import asdict, dataclass
from typing import Any

from training.metrics import Metrics
from training.paired import PairedCounts
from training.transfer import Transfer

SMALLEST_P = 1e-300
"""P-values below this are not told apart: they are near the smallest float."""


@dataclass(frozen=True)
class DifferingPhoto:
    """A photo that the models classify differently: its place among the photos, its file, and its class.

    Pairs have the first model's value and the second's: whether it is right, the class that it predicts, and the
    probability in [0, 1] that it gives this class.
    """

    index: int
    name: str
    label: str
    right: tuple[bool, bool]
    predicted: tuple[str, str]
    confidence: tuple[float, float]

    @property
    def mistake(self) -> float:
        """The confidence of the wrong prediction, of the more confident one if both are wrong."""
        return max(value for value, is_right in zip(self.confidence, self.right, strict=True) if not is_right)


@dataclass(frozen=True)
class ComparedClass:
    """A class of the data: its name, its number of photos, and how many of them each model classifies correctly."""

    name: str
    photos: int
    correct: tuple[int, int]


@dataclass(frozen=True)
class Comparison:
    """Two models on the same photos; every pair has the first model's value and the second's.

    `on` names the photos: train, validation, test or all. `notes` say how they were chosen, and `warnings` what makes
    the comparison unfair. `differing` begins with the most confident mistake. `robustness` has the curves of accuracy
    by budget. `transfer` has first the attacks on the first model, whose pictures the second classifies, and then the
    reverse. Both are None without an attack.
    """

    names: tuple[str, str]
    on: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    metrics: tuple[Metrics, Metrics]
    counts: PairedCounts
    classes: tuple[ComparedClass, ...]
    differing: tuple[DifferingPhoto, ...]
    robustness: tuple[dict[str, Any], dict[str, Any]] | None = None
    transfer: tuple[Transfer, Transfer] | None = None

    @property
    def differently_wrong(self) -> int:
        """Number of photos that both models classify wrongly, each as another class."""
        return sum(photo.right == (False, False) for photo in self.differing)

    def to_json(self) -> dict[str, Any]:
        """All figures as plain JSON."""
        return {
            "names": list(self.names),
            "on": self.on,
            "photos": self.counts.photos,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "metrics": [metrics.to_json() for metrics in self.metrics],
            "paired": self.counts.to_json(),
            "classes": [asdict(row) for row in self.classes],
            "differing": [asdict(photo) for photo in self.differing],
            "robustness": None if self.robustness is None else list(self.robustness),
            "transfer": None if self.transfer is None else [direction.to_json() for direction in self.transfer],
        }


def paired_text(comparison: Comparison) -> str:
    """The paired comparison of the accuracies, as sentences."""
    counts, (first, second) = comparison.counts, comparison.names
    different = comparison.differently_wrong
    differently = f" ({different:,} of them as different classes)" if different else ""
    return (
        f"photos that are classified correctly by both: {counts.both:,}, only by {first}: {counts.only_first:,}, only "
        f"by {second}: {counts.only_second:,}, by neither: {counts.neither:,}{differently}\n"
        f"accuracy of {first} minus accuracy of {second}: {difference_text(counts)}"
    )


def difference_text(counts: PairedCounts) -> str:
    """The difference of the accuracies with its interval and test."""
    low, high = (f"{100 * bound:+.2f}" for bound in counts.interval)
    p_value = f"p < {SMALLEST_P:g}" if counts.p_value < SMALLEST_P else f"p = {counts.p_value:.2g}"
    return (
        f"{100 * counts.difference:+.2f} percentage points (95 % interval {low} to {high}; exact McNemar test of equal "
        f"accuracies: {p_value})"
    )
