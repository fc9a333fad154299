"""One computation for all requests that ask for the same result at the same time."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from app.engine.deadline import Deadline
from app.engine.progress import GuardedListener, Listener
from models.query import Progress

Result = TypeVar("Result")
Work = Callable[[Listener, Deadline], Awaitable[Result]]


class SharedComputations(Generic[Result]):
    """The computations that are running now, by key; to be used on one event loop."""

    def __init__(self) -> None:
        self._running: dict[str, _Computation[Result]] = {}

    def join(
        self, key: str, work: Work[Result], listener: Listener | None = None, *, until: float = math.inf
    ) -> "Subscription[Result]":
        """Subscribe to the computation of this key, which is started if there is none.

        `work` is called with a function that passes progress on to the listeners of all subscriptions, and with the
        deadline: the latest time `until` of all who have subscribed, on the clock of time.monotonic(). The function may
        be called from any thread. Another computation is started where that of this key has failed, or its deadline has
        passed.
        """
        computation = self._running.get(key)
        if computation is None or computation.failed or not computation.deadline.put_off(until):
            computation = self._running[key] = _Computation(work, Deadline(until))
            computation.task.add_done_callback(lambda _: self._forget(key, computation))
        return Subscription(self, key, computation, listener)

    def __contains__(self, key: str) -> bool:
        """Whether a computation of this key is running."""
        return key in self._running

    def _forget(self, key: str, computation: "_Computation[Result]") -> None:
        if self._running.get(key) is computation:
            del self._running[key]


class _Computation(Generic[Result]):
    def __init__(self, work: Work[Result], deadline: Deadline) -> None:
        self.deadline = deadline
        self.subscriptions: set[Subscription[Result]] = set()
        self.task = asyncio.ensure_future(work(self._report, deadline))

    @property
    def failed(self) -> bool:
        """Whether it has ended without a result; in that very moment it is still listed."""
        return self.task.done() and (self.task.cancelled() or self.task.exception() is not None)

    def _report(self, progress: Progress) -> None:
        for subscription in self.subscriptions.copy():  # a copy, since the event loop's thread adds and removes
            if subscription.listener is not None:
                subscription.listener(progress)


class Subscription(Generic[Result]):
    """One request's part in a computation, which is cancelled when the last of its subscriptions has left."""

    def __init__(
        self,
        computations: SharedComputations[Result],
        key: str,
        computation: _Computation[Result],
        listener: Listener | None,
    ) -> None:
        self.listener = None if listener is None else GuardedListener(listener)
        self._computations, self._key, self._computation = computations, key, computation
        computation.subscriptions.add(self)

    @property
    def task(self) -> "asyncio.Future[Result]":
        """The computation. Do not cancel it: others may wait for it. Call `leave` instead."""
        return self._computation.task

    def leave(self) -> None:
        """End this subscription; a second call does nothing."""
        if self not in self._computation.subscriptions:
            return  # a second cancellation would interrupt what the computation does after the first
        self._computation.subscriptions.remove(self)
        if not self._computation.subscriptions and not self.task.done():
            self._computations._forget(self._key, self._computation)
            self.task.cancel()
