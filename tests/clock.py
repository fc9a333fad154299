"""Clocks that only a test moves."""


class Clock:
    """Replaces the module `time`; its time only passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Ticking(Clock):
    """A clock on which a second passes between two looks at it: whatever is timed takes as long."""

    def monotonic(self) -> float:
        self.now += 1
        return self.now
