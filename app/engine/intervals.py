"""How fast a line of requests moves: the seconds between the ends of two of them, while others wait."""

import time

NEWEST = 0.05
"""Weight of the latest interval in the mean: those that share a batch end at once, so a single one says little."""
FEWEST = 8
"""Intervals after which the mean says something."""


class Intervals:
    """The mean seconds between two ends; None before FEWEST intervals."""

    def __init__(self) -> None:
        self._mean_s = 0.0
        self._count = 0
        self._last = 0.0

    @property
    def mean_s(self) -> float | None:
        """The mean of the latest intervals."""
        return self._mean_s if self._count >= FEWEST else None

    def note_end(self, *, others: int) -> None:
        """Note that a request has ended; `others` are those that wait or run now.

        Without others the next end says nothing of how fast the line moves.
        """
        now, before = time.monotonic(), self._last
        self._last = now if others else 0.0
        if before:
            self._count += 1
            self._mean_s += max(NEWEST, 1 / self._count) * (now - before - self._mean_s)
