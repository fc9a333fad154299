"""One budget of memory for all that requests hold: bodies, pictures that are decoded, and pictures under work.

Memory is reserved before it is used. What the process itself takes, with its models, and what one batch of the network
takes are not for requests (`set_base`).
"""

import threading
import time
from collections import deque
from typing import Self

SCARCE = 0.5
"""Part of the memory for requests beyond which freed memory is given back to the operating system at once."""


class NeedsTooMuchMemory(MemoryError):
    """A request needs more memory than all requests together may take."""

    def __init__(self, needed: int, most: int) -> None:
        super().__init__(
            f"the request needs {_megabytes(needed)} of memory, and this service has {_megabytes(most)} for "
            "it: send a smaller picture, or ask the operator to raise MIRAGE_MEMORY"
        )


class MemoryIsTaken(RuntimeError):
    """Other requests hold the memory that this one needs; try again after `retry_after_s` seconds."""

    def __init__(self) -> None:
        super().__init__("the memory for requests is taken by others: try again in a moment")
        self.retry_after_s = 1


class MemoryBudget:
    """Hands out at most `total` bytes, less the base; safe to use from any thread.

    First come, first served among those that wait: a small picture waits behind a large one that waits.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.reserved = 0
        self._base = 0
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def most(self) -> int:
        """Bytes that all requests together may take."""
        return max(0, self.total - self._base)

    @property
    def scarce(self) -> bool:
        """Whether so much is reserved that freed memory should not be kept."""
        return self.reserved > SCARCE * self.most

    def set_base(self, size: int) -> None:
        """Set the bytes that are not for requests: those of the process with its models, and of one batch."""
        with self._changed:
            self._base = size
            self._changed.notify_all()

    def reserve(self, size: int, *, until: float, leave: int = 0, held: int = 0) -> "Reservation":
        """Wait for memory, at most until this time on the clock of time.monotonic(), and leave so much for others.

        `held` bytes are reserved for the same request already. Raises NeedsTooMuchMemory at once where all of it could
        never be free together, and MemoryIsTaken. Who holds a reservation, other than that of the body, must not wait
        for another one: two such threads could wait for each other.
        """
        turn = object()
        with self._changed:
            self._check_possible(held + size, leave)
            self._line.append(turn)
            self._changed.notify_all()
            try:
                if not self._changed.wait_for(
                    lambda: self._line[0] is turn and self._has_room(size + leave), seconds_until(until)
                ):
                    raise MemoryIsTaken
                return self._take(size)
            finally:
                self._line.remove(turn)
                self._changed.notify_all()

    def reserve_now(self, size: int, *, leave: int = 0, held: int = 0) -> "Reservation":
        """Memory that is free now, beside so much for others; `held` and the errors are those of `reserve`.

        It does not stand in line: otherwise one large picture that waits would hold up everything else.
        """
        with self._changed:
            self._check_possible(held + size, leave)
            if size and not self._has_room(size + leave):
                raise MemoryIsTaken
            return self._take(size)

    def _check_possible(self, size: int, leave: int) -> None:
        if size + leave > self.most:
            raise NeedsTooMuchMemory(size, max(0, self.most - leave))

    def _has_room(self, size: int) -> bool:
        return self.reserved + size <= self.most

    def _take(self, size: int) -> "Reservation":
        self.reserved += size
        return Reservation(self, size)

    def _give_back(self, size: int) -> None:
        with self._changed:
            self.reserved -= size
            self._changed.notify_all()


class Reservation:
    """A part of the budget; it is given back at the end of a `with` block, or by `release`."""

    def __init__(self, budget: MemoryBudget, size: int) -> None:
        self.size = size
        self._budget = budget

    def shrink(self, size: int) -> None:
        """Give back all but `size` bytes; a larger size changes nothing."""
        freed, self.size = max(0, self.size - size), min(self.size, size)
        self._budget._give_back(freed)

    def release(self) -> None:
        """Give everything back; a second call does nothing."""
        self.shrink(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def seconds_until(at: float) -> float:
    """Seconds until a time on the clock of time.monotonic(), as far as Python can wait; 0 for the past."""
    return min(max(0.0, at - time.monotonic()), threading.TIMEOUT_MAX)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
