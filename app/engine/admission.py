"""How many tasks may be alive in the engine at once, and how much memory they may take together."""

import math
import threading

from app.engine.counters import Counters


class Overloaded(RuntimeError):
    """The engine is full; a task should end, and make room for a new one, within `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many requests are being worked on: try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class ShuttingDown(RuntimeError):
    """The engine takes no new tasks."""


class Admission:
    """Admits at most `max_tasks` tasks whose weights add up to at most `max_weight`; safe to use from any thread.

    A weight stands for the memory that a task itself takes. One task may be heavier than `max_weight` while no other
    has a weight; a task of weight 0 is bounded by `max_tasks` alone.
    """

    def __init__(self, max_tasks: int, max_weight: float, counters: Counters) -> None:
        self.max_tasks = max_tasks
        self.max_weight = max_weight
        self.alive = 0
        self.is_open = True
        self._counters = counters
        self._weight = 0
        self._mean_seconds = 1.0  # of the latest tasks, from their submission to their end
        self._lock = threading.Lock()

    def admit(self, weight: int, *, is_sequel: bool = False) -> None:
        """Count a new task in, or raise Overloaded or ShuttingDown; a sequel is admitted even if the engine is full."""
        with self._lock:
            self._check(weight, is_sequel=is_sequel)
            self.alive += 1
            self._weight += weight

    def check(self, weight: int) -> None:
        """Raise what `admit` would raise now."""
        with self._lock:
            self._check(weight)

    def release(self, weight: int, seconds: float) -> None:
        """Free the place of a task that ended `seconds` after it was admitted."""
        with self._lock:
            self.alive -= 1
            self._weight -= weight
            self._mean_seconds += 0.1 * (seconds - self._mean_seconds)

    def close(self) -> None:
        """Admit nothing more."""
        with self._lock:
            self.is_open = False

    def _check(self, weight: int, *, is_sequel: bool = False) -> None:
        if not self.is_open:
            raise ShuttingDown("the service is shutting down: try another instance")
        if is_sequel:
            return
        too_heavy = weight and self._weight and self._weight + weight > self.max_weight
        if self.alive >= self.max_tasks or too_heavy:
            self._counters.refused += 1
            raise Overloaded(max(1, math.ceil(self._mean_seconds / max(1, self.alive))))
