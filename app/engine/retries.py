"""When refused clients should come back, so that each of them finds a place then (docs/decisions/0056).

A client cannot be recognised: whoever was served comes again at once, and so do others, beside those who were told to
come at this time. So while clients are expected, a part of all places is kept for them (guard channels, as mobile
networks keep them for calls that are handed over: Hong and Rappaport, 1986), and whoever comes within a moment after an
appointment may have one of these.
"""

import bisect
import math
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

KEPT = 0.4
"""Part of all places that only those get who come at an appointment, while anybody is expected."""
EARLY_S, LATE_S = 0.05, 0.5
"""Seconds before and after an appointment within which it counts."""
ADMITTED = 6
"""Largest number of clients that are admitted to one appointment: the one who was told to come, and others who happen
to come in this moment."""
COUNTED = 1.0
"""Number of places that an appointment is taken to cost at first; later it is what the latest ones cost on average."""
MARGIN = 1.25
"""How many times as much as that is reckoned with."""
NEWEST = 0.1
"""Weight of the latest appointment in that mean."""
SPREAD = 0.5
"""Part of the waiting time that is added at random, so that clients which came at the same time do not all come back at
the same time."""
LONGEST_S = 600
"""Longest time in seconds that a client is told to wait."""
MOST = 16
"""Times as many clients as there are places are expected at most; for further ones nothing is kept, so that somebody
who is refused again and again does not keep all others waiting."""

Ends = Sequence[float]
"""In how many seconds each of those that are alive should end, soonest first."""


@dataclass
class _Appointment:
    """It counts until a time on the clock of time.monotonic(), and for so many clients more."""

    until: float
    left: int = ADMITTED


class Retries:
    """The appointments of refused clients with `places` places; used under the lock of the admission."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._kept = int(KEPT * places)
        self._expected: list[float] = []  # times on the clock of time.monotonic(), soonest first
        self._open: deque[_Appointment] = deque()  # those of this moment
        self._counted = COUNTED
        self._random = random.Random()  # noqa: S311 (no secret depends on it)

    def admit(self, free: int, ends: Callable[[], Ends], own_s: float = math.inf) -> bool:
        """Whether a client that comes now gets one of the `free` places, which it should need for `own_s` seconds."""
        self._open_appointments(time.monotonic())
        if free < 1:
            return False
        if free == self._places:
            return True
        if self._open:
            self._open[0].left -= 1
            return True
        return not self._expected or self._leaves_room(free - self._kept, ends, own_s)

    def estimate(self, free: int, ends: Ends) -> int:
        """The seconds after which there should be a place for one more; nothing is kept for it."""
        return min(LONGEST_S, max(1, math.ceil(_Freed(ends, free).seconds_until(1))))

    def promise(self, free: int, ends: Ends) -> int:
        """The seconds after which a client that is refused now should come back, and for which a place is kept then."""
        now = time.monotonic()
        freed = _Freed(ends, free - self._kept)
        wait_s = freed.seconds_until(round(MARGIN * self._counted * len(self._expected)) + 1)
        wait_s += self._random.uniform(0, SPREAD * wait_s)
        seconds = max(1, math.ceil(wait_s))
        while seconds < LONGEST_S and self._near(now + seconds) > self._places - self._kept:
            seconds += 1
        seconds = min(seconds, LONGEST_S)
        if len(self._expected) < MOST * self._places:
            bisect.insort(self._expected, now + seconds)
        return seconds

    def _open_appointments(self, now: float) -> None:
        while self._expected and self._expected[0] <= now + EARLY_S:
            self._open.append(_Appointment(self._expected.pop(0) + LATE_S))
        while self._open and (self._open[0].until < now or not self._open[0].left):
            admitted = ADMITTED - self._open.popleft().left
            self._counted += NEWEST * (max(1, admitted) - self._counted)

    def _leaves_room(self, free: int, ends: Callable[[], Ends], own_s: float) -> bool:
        """Whether enough places become free in time for those who are expected, if another client takes one."""
        if free < 1:
            return False
        expected, now = self._expected[: self._places], time.monotonic()
        if free > len(expected):
            return True
        freed = _Freed(sorted([*ends(), own_s]) if own_s < math.inf else ends(), free - 1)
        return all(number <= freed.by(at - now) for number, at in enumerate(expected, 1))

    def _near(self, at: float) -> int:
        """How many clients are expected within half a second of a time."""
        return bisect.bisect_left(self._expected, at + 0.5) - bisect.bisect_left(self._expected, at - 0.5)


class _Freed:
    """How many places will have been free by when, if all that are alive end as expected and others follow them."""

    def __init__(self, ends: Ends, free: int) -> None:
        self._ends, self._free = ends, free
        self._each_s = ends[-1] / len(ends) if ends else 0.0  # seconds in which one place becomes free

    def by(self, seconds: float) -> float:
        """The number of places that will have been free within so many seconds."""
        ended: float = bisect.bisect_right(self._ends, seconds)
        if ended == len(self._ends) and self._each_s:
            ended += (seconds - self._ends[-1]) / self._each_s
        return self._free + ended

    def seconds_until(self, places: int) -> float:
        """In how many seconds so many places will have been free."""
        ended = places - self._free
        if ended <= 0:
            return 0.0
        if ended <= len(self._ends):
            return self._ends[ended - 1]
        return (self._ends[-1] if self._ends else 0.0) + (ended - len(self._ends)) * self._each_s
