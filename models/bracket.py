"""The search for the least strength at which something succeeds, if success grows nearly in proportion to strength."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_GAP = 1e-9
"""Smallest distance of a value from 0 that is interpolated, so that no division is by 0."""


@dataclass
class Bracket:
    """What is known of a function of a strength: it is negative at `low` and positive at `high`, if not infinite.

    The Illinois method (Dowell & Jarratt 1971, doi.org/10.1007/BF01934364): the next strength is where the line between
    the ends crosses 0, and the value at an end that stays twice in a row is halved. A line needs two looks, and no
    function needs many more than bisection. The search starts from the value at strength 0, and ends once what is left
    to gain is below `precision`, a fraction of the strength.
    """

    low_value: float
    precision: float
    low: float = 0.0
    high: float = math.inf
    high_value: float = math.inf
    before: tuple[float, float] = (0.0, -math.inf)
    """The strength and the value at the `low` before this one."""
    failures: int = 0
    successes: int = 0
    """Ends of the same side that were found in a row."""

    def narrow(self, strengths: Sequence[float], values: Sequence[float]) -> None:
        """Take the values at some strengths; the smallest success above `low` becomes the new `high`."""
        for strength, value in sorted(zip(strengths, values, strict=True)):
            if value > 0:
                if self.low < strength < self.high:
                    self.high, self.high_value = strength, max(value, LEAST_GAP)
                    self.successes, self.failures = self.successes + 1, 0
                    if self.successes > 1:
                        self.low_value /= 2
                break
            if self.low < strength < self.high:
                self.before = self.low, self.low_value
                self.low, self.low_value = strength, min(value, -LEAST_GAP)
                self.failures, self.successes = self.failures + 1, 0
                if self.failures > 1:
                    self.high_value /= 2

    def next(self, count: int) -> list[float]:
        """Up to `count` strengths to try next; none if the least strength is known to `precision`."""
        if math.isinf(self.high):
            aim, spread, first = self._extrapolated(), 16 * self.precision, 0.0
        else:
            crossing = self.low + (self.high - self.low) * self.low_value / (self.low_value - self.high_value)
            if self.high <= (1 + self.precision) * max(self.low, crossing):
                return []
            # One strength aims at a narrow success. Two lie on both sides of the crossing; more would not tell more.
            count = min(count, 2)
            aim = crossing * (1 + self.precision / 2) if count == 1 else crossing
            spread, first = 2 * self.precision, (1 - count) / 2
        strengths = [aim * (1 + spread) ** (first + number) for number in range(count)]
        inside = [strength for strength in strengths if self.low < strength < self.high]
        return inside or [(self.low + self.high) / 2]

    def _extrapolated(self) -> float:
        """Beyond `low`, where the line through the last two failures crosses 0; more carelessly after each failure."""
        strength, value = self.before
        slope = (self.low_value - value) / (self.low - strength) if self.low > strength else 0.0
        crossing = self.low - self.low_value / slope if slope > 0 else math.inf
        least = 1 + self.precision * 4.0 ** max(0, self.failures - 1)
        return self.low * min(max(crossing / self.low * (1 + self.precision / 2), least), 2.0)
