"""Wrong API keys are answered late, so that trying many takes long."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass

from app.addresses import network_of

FIRST_S, MOST_S = 0.1, 5.0
"""Seconds of delay of the answer to the first wrong key of a client; each further one doubles them, up to MOST_S."""
FORGOTTEN_S = 60.0
"""Seconds after the latest answer to a wrong key when the client begins anew."""
LONGEST_S = 10.0
"""Longest wait, in seconds, of an answer to a wrong key, with those that its client waits for already."""
MOST_WAITING = 100
"""Largest number of answers that wait at the same time, of all clients. Each holds a connection."""
MOST_CLIENTS = 10_000
"""Number of clients that are remembered, in about 3 MB. Beyond it, the one that was quiet for longest is forgotten."""


class TooManyWrongKeys(RuntimeError):
    """More wrong keys are waiting for their answers than may; try again after `retry_after_s` seconds."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            "the API key is not valid, and too many others before it were not valid either: check the key, and send "
            "it after as many seconds as the header Retry-After says"
        )
        self.retry_after_s = retry_after_s


@dataclass
class _Attempts:
    """The wrong keys of one client."""

    number: int
    answered_at: float
    """When the latest of the answers is or was sent, on the clock time.monotonic."""


class WrongKeys:
    """The delay of the answers to wrong keys, for each client address.

    The answers to one client are sent one after the other, so that asking in parallel is no faster. Of IPv6 addresses,
    the first 64 bits tell clients apart: one computer usually has all addresses that begin with them.
    """

    def __init__(self) -> None:
        self._clients: OrderedDict[str, _Attempts] = OrderedDict()
        self._waiting = 0

    async def delay(self, address: str) -> None:
        """Wait until the wrong key from this address may be answered; raises TooManyWrongKeys at once if too many do.

        Only for the event loop's thread.
        """
        seconds = self.seconds(address)
        self._waiting += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self._waiting -= 1

    def seconds(self, address: str) -> float:
        """Count a wrong key from this address, and return how long its answer must wait; raises TooManyWrongKeys."""
        now = time.monotonic()
        client = network_of(address)
        attempts = self._clients.pop(client, None)
        if attempts is None or now - attempts.answered_at > FORGOTTEN_S:
            attempts = _Attempts(0, now)
        self._clients[client] = attempts  # at the end, as the latest
        if len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)
        begin = max(now, attempts.answered_at)
        wait = begin - now + min(FIRST_S * 2.0**attempts.number, MOST_S)
        if wait > LONGEST_S or self._waiting >= MOST_WAITING:
            raise TooManyWrongKeys(max(begin - now, 1.0))
        attempts.number = min(attempts.number + 1, 10)  # enough for the longest delay
        attempts.answered_at = now + wait
        return wait
