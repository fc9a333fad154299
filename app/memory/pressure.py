"""Gives freed memory back to the system where the process takes much of what it may."""

import time

from app.memory.allocator import return_freed_memory
from app.memory.machine import resident_bytes

MUCH = 0.6
"""Part of the memory that the service may take, beyond which freed memory is not kept for the next pass."""
PAUSE_S = 0.25
"""Least number of seconds between two times, since each takes milliseconds, and the next passes are slower."""


class Pressure:
    """Looks at the memory of the process, which may take `total` bytes; for one thread."""

    def __init__(self, total: int) -> None:
        self._much = MUCH * total
        self._looked_at = 0.0  # on the clock of time.monotonic()

    def relieve(self) -> None:
        """Return freed memory if the process has much, and it is not too soon. Call this after each batch.

        Blocks of many sizes leave gaps between them, so in half a minute of attacks the process would grow to several
        times what is in use.
        """
        now = time.monotonic()
        if now - self._looked_at < PAUSE_S:
            return
        self._looked_at = now
        if resident_bytes() > self._much:
            return_freed_memory()
