"""How fast the tasks in the engine get on: the seconds that one of them still takes, as far as that can be said."""

import time

from models.query import Progress

NEWEST = 0.2
"""Weight of the latest turn, or of the latest task of its kind, in a mean; older ones count less and less."""
FEWEST_TURNS = 3
"""Turns that a task must have had before its pace says something."""


class Pace:
    """How far one task has come and how fast it gets on; the engine's thread writes, and any thread reads.

    `kind` is a name for what it does; the times of tasks of one kind stand for each other. `quick` says whether it
    takes a single pass. `owner` is whoever asked for it, with an API key or, without `has_key`, from an address: owners
    get equal shares of the engine's time. `begun` is when the request arrived, on the clock of time.monotonic().
    `is_used` says whether a task has the place now, and `is_held` whether the request keeps it after the end of that
    task. `worked_s` are the seconds of the engine's time that it has had: its part of each batch, and what it computed
    itself.
    """

    def __init__(
        self, kind: str, owner: str = "", *, has_key: bool = True, quick: bool = False, begun: float | None = None
    ) -> None:
        self.kind = kind
        self.owner = owner
        self.has_key = has_key
        self.quick = quick
        self.begun = time.monotonic() if begun is None else begun
        self.is_used = False
        self.is_held = False
        self.worked_s = 0.0
        self._turns = 0
        self._last_turn = self.begun
        self._turn_seconds = 0.0
        self._reported = 0, 0, 0  # the step that was reached last, of how many, and the turns until then
        self._reports = 0
        self._turns_per_step = 0.0

    def take_turn(self) -> None:
        """Note that the network answered."""
        now = time.monotonic()
        seconds, self._last_turn = now - self._last_turn, now
        if self._turns:  # before its first turn, a task waits for what runs already
            self._turn_seconds += max(NEWEST, 1 / self._turns) * (seconds - self._turn_seconds)
        self._turns += 1

    def report(self, progress: Progress) -> None:
        """Note how far the task says it has come."""
        step, _, turns = self._reported
        if progress.step <= step:
            return
        self._reports += 1
        latest = (self._turns - turns) / (progress.step - step)  # several turns for a step, or several steps in a turn
        self._turns_per_step += max(NEWEST, 1 / self._reports) * (latest - self._turns_per_step)
        self._reported = progress.step, progress.steps, self._turns

    def work_left(self) -> float | None:
        """Seconds of the engine's time that it still needs, by the steps that it has done; None before the first."""
        step, steps, _ = self._reported
        return self.worked_s * (steps - step) / step if 0 < step <= steps else None

    @property
    def is_new(self) -> bool:
        """Whether the task waits for its very first answer."""
        return not self._turns

    def seconds_left(self) -> float | None:
        """Turns per step, times the steps left, times the seconds of a turn; None where that is unknown.

        The first turns and steps say too little, and a task that has done all its steps only has its result to verify,
        which no step counts.
        """
        step, steps, turns = self._reported
        if self._turns < FEWEST_TURNS or not 0 < step < steps:
            return None
        turns_left = self._turns_per_step * (steps - step) - (self._turns - turns)
        return max(0.0, turns_left * self._turn_seconds - (time.monotonic() - self._last_turn))
