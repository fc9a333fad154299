"""When tasks that share one network will have ended, from the work that each of them still has to do."""

import math
import time
from collections.abc import Sequence

NOTED_S = 0.2
"""Seconds after which the part of the time is measured again; a single batch may take as long."""
REMEMBERED_S = 5.0
"""Time constant in seconds of the mean of the parts that were measured."""
LEAST_PART = 0.1
"""Part of the time that is taken to be had at least; one that is 0 would mean waiting for ever."""


def side_by_side(work: Sequence[float]) -> list[float]:
    """In how many seconds each of several tasks ends that get equal shares of the time, soonest first.

    `work` has the seconds that each would still take alone. A task with the least work ends when all of them have had
    as much; then the others share the time among fewer (processor sharing: Kleinrock, 1967).
    """
    ends: list[float] = []
    ended_s = done = 0.0
    for number, seconds in enumerate(sorted(work)):
        ended_s += (len(work) - number) * (seconds - done)
        done = seconds
        ends.append(ended_s)
    return ends


class PartOfTime:
    """Which part of the time tasks have together, beside others that share the network and the processor with them."""

    def __init__(self) -> None:
        self._part = 1.0
        self._noted: tuple[float, float] | None = None  # a time on the clock of time.monotonic(), and the work then

    def note(self, worked_s: float, *, is_begun: bool) -> None:
        """Note how many seconds of work all of them have had; `is_begun` where none was alive until now."""
        now = time.monotonic()
        if self._noted is None or is_begun:
            self._noted = now, worked_s
        elif (elapsed := now - self._noted[0]) >= NOTED_S:
            part = min(1.0, (worked_s - self._noted[1]) / elapsed)
            self._part += (1 - math.exp(-elapsed / REMEMBERED_S)) * (part - self._part)
            self._noted = now, worked_s

    @property
    def value(self) -> float:
        """From LEAST_PART to 1, as a mean over the last seconds in which any were alive; at first 1."""
        return max(LEAST_PART, self._part)
