"""Which requests and tasks are admitted: how many at once, whether they are in time, and when others may retry."""

import math
import threading
import time
from typing import NoReturn

from app.engine.counters import Counters
from app.engine.ends import PartOfTime, side_by_side
from app.engine.intervals import Intervals
from app.engine.pace import NEWEST, Pace
from app.engine.retries import Retries

LARGEST_SHARE = 0.75
"""Part of all places that quick requests may have together, or all others together; and the part of these that one
owner may have. So none of them can keep the others out."""
ALONE_S = 60.0
"""Seconds without a request of anybody else after which a client without an API key may have the places of all."""
PRUDENCE = 1.3
"""How many times as long as expected a refused client should wait: it is better to come late than in vain."""
UNKNOWN_S, UNKNOWN_QUICK_S = 1.0, 0.05
"""Seconds of the engine's time that are expected of a task, and of a quick one, before one of its kind has ended."""
CERTAIN = 0.5
"""Part of the expected time of the work ahead of a task that is taken to be certain: tasks ahead may be cancelled, and
passes may be faster than the engine knows."""


class Overloaded(RuntimeError):
    """The service is full; a new request should find room after `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many requests are being worked on: try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class TooLate(RuntimeError):
    """The request could not be begun before its deadline, because of the requests before it."""

    def __init__(self, deadline_s: float, ahead_s: float) -> None:
        self.retry_after_s = max(1, math.ceil(ahead_s - deadline_s))
        super().__init__(
            f"the requests that are waiting already take {ahead_s:.1f} s at least, and this one would have to be done "
            f"within {deadline_s:g} s: try again in {self.retry_after_s} s, or allow more time"
        )


class RequestHasEnded(RuntimeError):
    """The request for which a task is submitted has ended: nobody waits for the task."""


class ShuttingDown(RuntimeError):
    """The engine takes no new tasks; another process should have taken its place after `retry_after_s` seconds."""

    retry_after_s = 5


class Admission:
    """Admits at most `max_tasks` requests or tasks at once; safe to use from any thread.

    A request is admitted before its picture is decoded. It hands its place on to its task, which frees it at its end.
    """

    def __init__(self, max_tasks: int, counters: Counters) -> None:
        self.max_tasks = max_tasks
        self.is_open = True
        self.ahead_s = 0.0
        """Expected seconds of the queries that a new task has to wait for, at the fastest pass times known."""
        self._counters = counters
        self._admitted: set[Pace] = set()
        self._mean_work: dict[str, float] = {}  # seconds of the engine's time that the latest of each kind took
        most = self._most_of_a_kind = max(1, math.ceil(LARGEST_SHARE * max_tasks))
        self._most_of_an_owner = max(1, math.ceil(LARGEST_SHARE * most))
        self._owners: dict[str, float] = {}  # when the latest request came, and the latest one of anybody else
        self._intervals = Intervals()
        self._part, self._worked_s = PartOfTime(), 0.0  # of all but quick ones; seconds of those that have ended
        self._retries = {True: Retries(most), False: Retries(most)}  # for those that are quick, and all others
        self._lock = threading.Lock()

    @property
    def alive(self) -> int:
        """Number of requests and tasks that were admitted and have not ended."""
        return len(self._admitted)

    def quick(self) -> set[Pace]:
        """Those among them that are quick: they take a single pass of the network."""
        with self._lock:
            return set(self._alive(quick=True))

    def admit(self, pace: Pace, deadline_s: float = math.inf, *, ahead_s: float = 0.0, is_sequel: bool = False) -> None:
        """Count a new one in, or raise Overloaded, TooLate or ShuttingDown; a sequel is admitted unless closed.

        `ahead_s` are the seconds that it waits before it reaches the engine, as far as they are known.
        """
        with self._lock:
            self._check_open()
            if not is_sequel:
                self._check_time(deadline_s, ahead_s)
                self._check_room(pace)
            self._note_part(is_begun=not self._alive(quick=False))
            self._admitted.add(pace)

    def check(self) -> None:
        """Raise what `admit` would raise now for a task without a deadline."""
        with self._lock:
            self._check_open()
            if self._free(quick=False) < 1:
                self._counters.refused += 1
                raise Overloaded(self._retries[False].estimate(0, self._ends(quick=False)))

    def give_to_task(self, pace: Pace) -> None:
        """Let a task have the place of its request; raises RequestHasEnded where it is free again, or has a task."""
        with self._lock:
            if pace not in self._admitted or pace.is_used:
                raise RequestHasEnded
            pace.is_used = True

    def release_after_task(self, pace: Pace) -> None:
        """Free the place of a task that has ended, unless its request keeps it for further tasks."""
        with self._lock:
            pace.is_used = False
            if not pace.is_held:
                self._remove(pace)

    def release_after_request(self, pace: Pace) -> None:
        """Free the place of a request that has ended, unless a task has it, which frees it at its end."""
        with self._lock:
            pace.is_held = False
            if not pace.is_used:
                self._remove(pace)

    def close(self) -> None:
        """Admit nothing more."""
        with self._lock:
            self.is_open = False

    def refuse(self) -> NoReturn:
        """Refuse a request for which memory is lacking, and not a place; raises Overloaded."""
        with self._lock:
            self._counters.refused_for_memory += 1
            self._counters.refused += 1
            raise Overloaded(self._retries[False].estimate(0, self._ends(quick=False)))

    def _remove(self, pace: Pace) -> None:
        """Free a place; a second call does nothing."""
        if pace not in self._admitted:
            return
        self._admitted.remove(pace)
        if pace.quick:
            self._intervals.note_end(others=len(self._alive(quick=True)))
        else:
            self._worked_s += pace.worked_s
            self._note_part(is_begun=False)
        if pace.worked_s:
            mean = self._mean_work.setdefault(pace.kind, pace.worked_s)
            self._mean_work[pace.kind] = mean + NEWEST * (pace.worked_s - mean)

    def _check_open(self) -> None:
        if not self.is_open:
            raise ShuttingDown("the service is shutting down: try another instance")

    def _check_room(self, pace: Pace) -> None:
        self._check_owner(pace)
        own_s = self._mean_work.get(pace.kind, 0.0)
        if not self._retries[pace.quick].admit(
            self._free(quick=pace.quick), lambda: self._ends(quick=pace.quick), own_s
        ):
            self._refuse(quick=pace.quick)

    def _check_owner(self, pace: Pace) -> None:
        """Refuse an owner who has its share of the places, until one of its own is free."""
        is_alone = self._note_owner(pace.owner)
        if not pace.owner or (is_alone and not pace.has_key):
            return
        own = [other for other in self._alive(quick=pace.quick) if other.owner == pace.owner]
        if len(own) >= self._most_of_an_owner:
            self._counters.refused += 1
            raise Overloaded(self._retries[pace.quick].estimate(0, self._ends(quick=pace.quick)))

    def _note_owner(self, owner: str) -> bool:
        """Note that a request of this owner has come; whether nobody else's has for ALONE_S seconds."""
        now = time.monotonic()
        others = {other: came for other, came in self._owners.items() if other != owner}
        latest = max(others, key=others.__getitem__, default=None)
        self._owners = {owner: now} | ({} if latest is None else {latest: others[latest]})
        return latest is None or now - others[latest] > ALONE_S

    def _refuse(self, *, quick: bool) -> NoReturn:
        self._counters.refused += 1
        raise Overloaded(self._retries[quick].promise(self._free(quick=quick), self._ends(quick=quick)))

    def _free(self, *, quick: bool) -> int:
        """Number of places that are free for quick requests, or for all others."""
        return min(self.max_tasks - self.alive, self._most_of_a_kind - len(self._alive(quick=quick)))

    def _check_time(self, deadline_s: float, ahead_s: float) -> None:
        """Refuse what the work ahead alone makes too late: a lower bound, since what the task itself takes is open."""
        certain_s = CERTAIN * (self.ahead_s + ahead_s)
        if certain_s > deadline_s:
            self._counters.refused += 1
            self._counters.refused_too_late += 1
            raise TooLate(deadline_s, certain_s)

    def _ends(self, *, quick: bool) -> list[float]:
        """In how many seconds each of the quick ones that are alive, or of all others, should end, soonest first.

        Quick ones end one after the other, as fast as the latest did. Others work side by side, in the part of the time
        that they have lately had.
        """
        alive = self._alive(quick=quick)
        if quick and self._intervals.mean_s is not None:
            return [PRUDENCE * self._intervals.mean_s * number for number in range(1, len(alive) + 1)]
        self._note_part(is_begun=False)
        part = 1.0 if quick else self._part.value
        return [PRUDENCE / part * end_s for end_s in side_by_side([self._work_left(pace) for pace in alive])]

    def _alive(self, *, quick: bool) -> list[Pace]:
        return [pace for pace in self._admitted if pace.quick == quick]

    def _note_part(self, *, is_begun: bool) -> None:
        """`is_begun` where none but quick ones were alive until now."""
        self._part.note(self._worked_s + sum(pace.worked_s for pace in self._alive(quick=False)), is_begun=is_begun)

    def _work_left(self, pace: Pace) -> float:
        """By the task's own steps, or else by the mean of its kind, or else UNKNOWN_S."""
        left = pace.work_left()
        if left is not None:
            return left
        unknown_s = UNKNOWN_QUICK_S if pace.quick else UNKNOWN_S
        return max(0.0, self._mean_work.get(pace.kind, unknown_s) - pace.worked_s)
