"""The lines in which tasks wait for their next answer, and how the engine's time is shared among them.

This is weighted fair queueing (Demers, Keshav and Shenker, 1989): every line, and within it every owner, has a clock of
the seconds that it was given, divided by its weight. Whoever's clock is behind comes first. A clock that stood still
while nobody waited is set forward to those of the others, so that nobody saves up time.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from app.engine.submission import Submission

LOOKS_WEIGHT = 3.0
"""Share of the engine's time for first looks, beside one of OTHERS_WEIGHT for all other queries, where both wait."""
OTHERS_WEIGHT = 2.0


class Line:
    """Tasks that wait, the longest waiting first; those of an owner who had less time go before.

    In every second turn, tasks whose deadline has passed go before all others of their owner: their clients expect
    them now, and they have a few queries left. In the other turns they do not, so that they cannot keep the rest out.
    """

    def __init__(self, weight: float) -> None:
        self.clock = 0.0
        self._weight = weight
        self._waiting: deque[Submission] = deque()
        self._expired_first = False
        self._owners: dict[str, float] = {}  # the clock of each owner of a task that waits, or of the latest batch

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Submission]:
        return iter(self._waiting)

    def __contains__(self, submission: object) -> bool:
        return submission in self._waiting

    @property
    def last(self) -> Submission | None:
        """The one that has waited for the shortest time."""
        return self._waiting[-1] if self._waiting else None

    def append(self, submission: Submission) -> None:
        """Let a task wait; an owner who had no task in the line is put level with the one who had least time."""
        owner = submission.pace.owner
        if owner not in self._owners:
            self._owners[owner] = min(self._owners.values(), default=0.0)
        self._waiting.append(submission)

    def remove(self, submission: Submission) -> None:
        """Take a task out of the line."""
        self._waiting.remove(submission)

    def in_turn(self) -> Iterable[Submission]:
        """The tasks in the order in which they should be answered in the next turn; each call is for one turn."""
        self._expired_first = not self._expired_first
        expired_first = self._expired_first and any(submission.has_expired for submission in self._waiting)
        if len(self._owners) < 2 and not expired_first:
            return self._waiting
        return sorted(  # stable
            self._waiting,
            key=lambda submission: (
                self._owners[submission.pace.owner],
                expired_first and not submission.has_expired,
            ),
        )

    def charge(self, shares: Mapping[str, float]) -> None:
        """Set the clocks forward by the seconds that each owner had; its tasks may have left the line."""
        self.clock += sum(shares.values()) / self._weight
        for owner, seconds in shares.items():
            self._owners[owner] = self._owners.get(owner, 0.0) + seconds

    def forget_owners(self) -> None:
        """Forget the clocks of owners of whom no task waits."""
        if len(self._owners) > 1:
            present = {submission.pace.owner for submission in self._waiting}
            self._owners = {owner: clock for owner, clock in self._owners.items() if owner in present}


class Lines:
    """The line of first looks, and that of all other queries."""

    def __init__(self) -> None:
        self.looks = Line(LOOKS_WEIGHT)
        self.others = Line(OTHERS_WEIGHT)
        self._clock = 0.0  # that of the line whose turn was last

    @property
    def both(self) -> tuple[Line, Line]:
        """Both lines."""
        return self.looks, self.others

    def of(self, submission: Submission) -> Line:
        """The line in which a task waits, or would have waited for its first answer if it has ended."""
        return self.looks if submission in self.looks else self.others

    def add(self, submission: Submission, answered: Line | None = None) -> None:
        """Let a task wait in the line of its query; `answered` is the line whose turn it is, if the task was in it."""
        line = self.looks if submission.is_first_look else self.others
        if not line and line is not answered:
            line.clock = max(line.clock, self._clock)
        line.append(submission)

    def next(self) -> Line | None:
        """The line whose turn it is; None if nobody waits."""
        turn = min((line for line in self.both if line), key=lambda line: line.clock, default=None)
        if turn is not None:
            self._clock = turn.clock
        return turn
