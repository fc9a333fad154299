"""Which tasks the engine admits: how many at once, how much memory they take together, and whether they are in time."""

import math
import threading

from app.engine.counters import Counters
from app.engine.pace import NEWEST, Pace

CERTAIN = 0.5
"""Part of the expected time of the work ahead of a task that is taken to be certain: tasks ahead may be cancelled, and
passes may be faster than the engine knows."""


class Overloaded(RuntimeError):
    """The engine is full; a task should end, and make room for a new one, within `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many requests are being worked on: try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class TooLate(RuntimeError):
    """The task could not be begun before its deadline, because of the tasks before it."""

    def __init__(self, deadline_s: float, ahead_s: float) -> None:
        self.retry_after_s = max(1, math.ceil(ahead_s - deadline_s))
        super().__init__(
            f"the requests that are waiting already take {ahead_s:.1f} s at least, and this one would have to be done "
            f"within {deadline_s:g} s: try again in {self.retry_after_s} s, or allow more time"
        )


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
        self.is_open = True
        self.ahead_s = 0.0
        """Expected seconds of the queries that a new task has to wait for, at the fastest pass times known."""
        self._counters = counters
        self._admitted: set[Pace] = set()
        self._mean_seconds: dict[str, float] = {}  # of the latest tasks of each kind, from submission to end
        self._lock = threading.Lock()

    @property
    def alive(self) -> int:
        """Number of tasks that were admitted and have not ended."""
        return len(self._admitted)

    def admit(self, pace: Pace, deadline_s: float = math.inf, *, is_sequel: bool = False) -> None:
        """Count a new task in, or raise Overloaded, TooLate or ShuttingDown; a sequel is admitted unless closed."""
        with self._lock:
            self._check_open()
            if not is_sequel:
                self._check_room(pace.weight)
                self._check_time(deadline_s)
            self._admitted.add(pace)

    def check(self, weight: int) -> None:
        """Raise what `admit` would raise now for a task without a deadline."""
        with self._lock:
            self._check_open()
            self._check_room(weight)

    def release(self, pace: Pace) -> None:
        """Free the place of a task that has ended."""
        with self._lock:
            self._admitted.remove(pace)
            mean = self._mean_seconds.setdefault(pace.kind, pace.seconds)
            self._mean_seconds[pace.kind] = mean + NEWEST * (pace.seconds - mean)

    def close(self) -> None:
        """Admit nothing more."""
        with self._lock:
            self.is_open = False

    def _check_open(self) -> None:
        if not self.is_open:
            raise ShuttingDown("the service is shutting down: try another instance")

    def _check_room(self, weight: int) -> None:
        held = sum(pace.weight for pace in self._admitted)
        too_heavy = weight and held and held + weight > self.max_weight
        if self.alive >= self.max_tasks or too_heavy:
            self._counters.refused += 1
            raise Overloaded(self._seconds_until_room(weight))

    def _check_time(self, deadline_s: float) -> None:
        """Refuse what the work ahead alone makes too late: a lower bound, since what the task itself takes is open."""
        certain_s = CERTAIN * self.ahead_s
        if certain_s > deadline_s:
            self._counters.refused += 1
            raise TooLate(deadline_s, certain_s)

    def _seconds_until_room(self, weight: int) -> int:
        """When so many tasks will have ended that one of this weight has room, in whole seconds."""
        by_end = sorted((self._seconds_left(pace), pace.weight) for pace in self._admitted)
        places, held = self.max_tasks - len(by_end), sum(weight for _, weight in by_end)
        for seconds, freed in by_end:
            places, held = places + 1, held - freed
            if places > 0 and not (weight and held and held + weight > self.max_weight):
                return max(1, math.ceil(seconds))
        return 1

    def _seconds_left(self, pace: Pace) -> float:
        """By the task's own steps, or else by the mean of its kind, or else a second."""
        left = pace.seconds_left()
        if left is not None:
            return left
        return max(0.0, self._mean_seconds.get(pace.kind, 1.0) - pace.seconds)
