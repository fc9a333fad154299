"""Statistics of two classifiers on the same photos: which is right more often, and whether that may be chance."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from training.metrics import wilson


@dataclass(frozen=True)
class PairedCounts:
    """How many photos are classified correctly by both classifiers, by only one of them, and by neither."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @classmethod
    def of(cls, right: Iterable[tuple[bool, bool]]) -> "PairedCounts":
        """Count photos; for each, whether the first and whether the second classifier is right."""
        pairs = list(right)
        return cls(*(pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))))

    @property
    def photos(self) -> int:
        """Number of photos."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def difference(self) -> float:
        """Accuracy of the first classifier minus that of the second, from -1 to 1."""
        return (self.only_first - self.only_second) / self.photos

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference.

        It joins Wilson's intervals of both accuracies, and accounts for the correlation of the classifiers on the same
        photos: method 10 of Newcombe 1998 (Statistics in Medicine 17, 2635-2650), which Fagerland, Lydersen and Laake
        recommend (2014, Statistics in Medicine 33, 2850-2875).
        """
        first, second = self.both + self.only_first, self.both + self.only_second
        (below, above), (other_below, other_above) = _reach(first, self.photos), _reach(second, self.photos)
        correlation = self._correlation()
        # Rounding errors may make the sum of a classifier with itself negative.
        low = max(0.0, below**2 - 2 * correlation * below * other_above + other_above**2)
        high = max(0.0, above**2 - 2 * correlation * above * other_below + other_below**2)
        return max(-1.0, self.difference - math.sqrt(low)), min(1.0, self.difference + math.sqrt(high))

    @property
    def p_value(self) -> float:
        """The p-value of the exact McNemar test of equal accuracies."""
        return mcnemar(self.only_first, self.only_second)

    def to_json(self) -> dict[str, Any]:
        """The counts, and what follows from them."""
        follows = {"difference": self.difference, "interval": list(self.interval), "p_value": self.p_value}
        return {**asdict(self), **follows}

    def _correlation(self) -> float:
        """The correlation (phi) of being right, with Newcombe's correction for continuity where it is positive."""
        first, second = self.both + self.only_first, self.both + self.only_second
        spread = first * (self.photos - first) * second * (self.photos - second)
        agreement = self.both * self.neither - self.only_first * self.only_second
        if spread == 0:  # a classifier is right on all photos, or on none
            return 0.0
        corrected = max(0.0, agreement - self.photos / 2) if agreement > 0 else agreement
        return corrected / math.sqrt(spread)


def _reach(correct: int, photos: int) -> tuple[float, float]:
    """How far Wilson's interval reaches below and above the accuracy."""
    low, high = wilson(correct, photos)
    return correct / photos - low, high - correct / photos


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of the exact McNemar test (McNemar 1947, Psychometrika 12, 153-157).

    Only photos count that one classifier alone has right. If both were right equally often, each of these would be as
    likely the one's as the other's: the p-value is the probability of counts at least as unequal, by the binomial
    distribution. It is 1 without such photos, and 0 where it is below the smallest float. Counts may be large: the
    terms are computed in log space, with a relative error below 1e-8 for a million photos.
    """
    fewer, total = min(only_first, only_second), only_first + only_second
    term = terms = 1.0  # the sum of the probabilities of `fewer` and less, as a multiple of the largest of them
    for count in range(fewer, 0, -1):
        term *= count / (total - count + 1)
        terms += term
        if term < terms * 1e-17:
            break
    ways = math.lgamma(total + 1) - math.lgamma(fewer + 1) - math.lgamma(total - fewer + 1)
    return min(1.0, math.exp(ways + math.log(terms) + (1 - total) * math.log(2)))
