"""The deadline of a task for which several requests may wait."""

import time


class Deadline:
    """When a task's time is up, on the clock of time.monotonic(): `until`, which can be put off before that.

    Whoever compares `until` with the time looks at the clock first: then a deadline that is put off in this very moment
    has not passed.
    """

    def __init__(self, until: float) -> None:
        self.until = until

    @property
    def seconds_left(self) -> float:
        """Seconds until then; at least a millisecond."""
        return max(self.until - time.monotonic(), 0.001)

    def put_off(self, until: float) -> bool:
        """Let the time be up at `until`, if that is later; False if it is up already. Only for one thread."""
        if time.monotonic() > self.until:
            return False
        self.until = max(self.until, until)
        return True
