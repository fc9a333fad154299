"""A client that sends one request after the other, and notes what came of each."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from soak.traffic.connection import Answer, Connection, NoAnswer, NoConnection
from soak.traffic.requests import Mix, Request

LONGEST_S = 300.0
"""Seconds after which a client waits no longer for an answer."""
REFUSED = (429, 503)
"""Statuses of refusals."""
LONGEST_RETRY_S = 120.0
"""Seconds that a client waits before it tries again at most, whatever Retry-After says."""


class End(StrEnum):
    """How a request ended, as its client sees it."""

    answered = "answered"
    left = "left"  # the client has closed the connection before the answer came
    lost = "lost"  # the connection was closed without a whole response
    hung = "hung"  # there was no answer after LONGEST_S
    no_connection = "no connection"


@dataclass(frozen=True)
class Exchange:
    """A request and what came of it; `begun` is when it was sent, on the clock of time.monotonic().

    `is_retry` says whether the client came back at the time that the refusal of the same request had named.
    """

    request: Request
    begun: float
    seconds: float
    end: End
    answer: Answer | None = None
    is_retry: bool = False

    @property
    def status(self) -> int | None:
        """The HTTP status; None without an answer."""
        return None if self.answer is None else self.answer.status

    @property
    def is_refused(self) -> bool:
        """Whether the service has refused the request."""
        return self.status in REFUSED


Note = Callable[[Exchange], object]


class Client:
    """A client with one connection, which it keeps for as long as the service does.

    A refused client obeys Retry-After and sends the same request once more. `leave` is the fraction of requests in
    which it leaves, after a random part of the seconds that `usual_s` has for the operation.
    """

    def __init__(
        self,
        port: int,
        mix: Mix,
        note: Note,
        *,
        seed: int,
        leave: float = 0.0,
        usual_s: Mapping[str, float] | None = None,
    ) -> None:
        self._port = port
        self._mix = mix
        self._note = note
        self._random = random.Random(seed)
        self._leave = leave
        self._usual_s = usual_s or {}
        self._connection: Connection | None = None

    async def run(self, until: float) -> None:
        """Send requests until the time, on the clock of time.monotonic(), or until nobody listens any more."""
        try:
            while time.monotonic() < until:
                first = await self._exchange(self._mix.draw(self._random), self._patience)
                if first.end is End.no_connection:
                    return
                if not first.is_refused or not await self._obey(first, until):
                    continue
                second = await self._exchange(first.request, is_retry=True)
                if second.is_refused:
                    await self._obey(second, until)
        finally:
            self.close()

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.abort()

    def _patience(self, request: Request) -> float:
        """Seconds after which the client leaves."""
        if self._random.random() >= self._leave:
            return LONGEST_S
        return self._random.uniform(0.0, self._usual_s.get(request.operation, 1.0))

    async def _obey(self, refused: Exchange, until: float) -> bool:
        """Wait as Retry-After says; False where there is none, or where the run is over before."""
        wait_s = None if refused.answer is None else refused.answer.retry_after_s
        if wait_s is None:
            await asyncio.sleep(1)  # or else it would come again at once, and a thousand times
            return False
        left_s = until - time.monotonic()
        await asyncio.sleep(max(0.0, min(wait_s, left_s, LONGEST_RETRY_S)))
        return wait_s < min(left_s, LONGEST_RETRY_S)

    async def _exchange(
        self, request: Request, patience: Callable[[Request], float] = lambda _: LONGEST_S, *, is_retry: bool = False
    ) -> Exchange:
        patience_s, answer = patience(request), None
        begun = time.monotonic()
        try:
            connection = await self._connected()
            begun = time.monotonic()
            async with asyncio.timeout(patience_s):
                answer = await connection.ask(request)
            end = End.answered
        except NoConnection:
            end = End.no_connection
        except NoAnswer:
            end = End.lost
        except TimeoutError:
            self.close()
            end = End.left if patience_s < LONGEST_S else End.hung
        exchange = Exchange(request, begun, time.monotonic() - begun, end, answer, is_retry)
        self._note(exchange)
        return exchange

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.ended:
            self.close()
            self._connection = await Connection.open(self._port)
        return self._connection
