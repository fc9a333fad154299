"""How many pixels may be decoded at once: decoding takes 14 to 25 bytes for each, for as long as it lasts."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator


class PixelBudget:
    """Lets pictures be decoded at once as long as they have `pixels` together at most; safe to use from any thread.

    First come, first served: a small picture waits behind a large one that waits. A picture with more pixels than the
    budget is decoded alone.
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.in_flight = 0
        self._line: deque[Lease] = deque()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def lease(self) -> Iterator["Lease"]:
        """A lease for one picture; the pixels that were taken with it are free again at the end of the block."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            with self._changed:
                self.in_flight -= lease.pixels
                self._changed.notify_all()

    def _take(self, lease: "Lease", pixels: int) -> None:
        with self._changed:
            self._line.append(lease)
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: self._line[0] is lease and self._has_room(pixels))
                self.in_flight += pixels
                lease.pixels += pixels
            finally:
                self._line.remove(lease)
                self._changed.notify_all()

    def _has_room(self, pixels: int) -> bool:
        return self.in_flight == 0 or self.in_flight + pixels <= self.pixels


class Lease:
    """The part of a budget that one picture takes."""

    def __init__(self, budget: PixelBudget) -> None:
        self.pixels = 0
        self._budget = budget

    def take(self, pixels: int) -> None:
        """Wait until it is this picture's turn and the budget has room for its pixels; call this once.

        A thread that holds one lease never waits for another: two such threads could wait for each other.
        """
        self._budget._take(self, pixels)
