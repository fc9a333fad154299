"""How far the service has come with its end: it is draining, or it waits for no more bodies of requests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Stopping:
    """The steps of a stop that concern requests. The server takes them (app/server/server.py), on the event loop."""

    def __init__(self) -> None:
        self.is_draining = False
        """Whether the readiness probe tells load balancers to send no more requests; all are still served."""
        self.refuses_bodies = False
        """Whether requests are refused whose bodies have not arrived completely."""
        self._waits: set[asyncio.Timeout] = set()

    def refuse_bodies(self) -> None:
        """Wait no longer for the bodies of requests."""
        self.is_draining = self.refuses_bodies = True
        for wait in self._waits:
            if not wait.expired():
                wait.reschedule(0)  # a time that has passed, on the clock of the event loop

    @contextlib.asynccontextmanager
    async def waiting_for_body(self, seconds: float) -> AsyncIterator[None]:
        """Raise TimeoutError if the block, which waits for a part of a body, takes longer, or when bodies are refused.

        What has arrived already is still received.
        """
        async with asyncio.timeout(0 if self.refuses_bodies else seconds) as wait:
            self._waits.add(wait)
            try:
                yield
            finally:
                self._waits.discard(wait)
