"""How much memory a batch of the network takes, and how many rows it may have for that reason."""

from collections.abc import Callable

from app.memory.allocator import return_freed_memory
from app.memory.machine import resident_bytes

SHARE = 0.2
"""Part of MIRAGE_MEMORY that one batch may take."""
LEAST_ROWS = 4
"""Rows that a batch may have in any case; with fewer, the network computes noticeably fewer rows per second."""


class BatchMemory:
    """What the rows of a batch take; `row_bytes` are those of one row of the largest model, 0 while none is known."""

    def __init__(self) -> None:
        self.row_bytes = 0.0

    def note(self, rows: int, run: Callable[[], object]) -> None:
        """Call `run`, which runs a batch of so many rows, twice, and note by how much the process grows.

        It keeps the memory that it frees (app/memory/allocator.py), so afterwards it is as large as it was at its
        largest. The smaller growth counts, since a request may take memory meanwhile.
        """
        grown = min(self._growth(run) for _ in range(2))
        self.row_bytes = max(self.row_bytes, grown / rows)

    @staticmethod
    def _growth(run: Callable[[], object]) -> int:
        return_freed_memory()
        before = resident_bytes()
        run()
        return resident_bytes() - before

    def most_rows(self, total: int, most: int) -> int:
        """How many rows a batch may have where the service may take `total` bytes: at most `most`."""
        if not self.row_bytes:
            return most
        return min(most, max(LEAST_ROWS, int(SHARE * total / self.row_bytes)))
