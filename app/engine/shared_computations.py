"""One computation for all who ask the same thing at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from app.engine.progress import GuardedListener, Listener
from models.query import Progress

Result = TypeVar("Result")


class Shared(Generic[Result]):
    """Computations by key that are under way; to be used on one event loop."""

    def __init__(self) -> None:
        self._running: dict[str, _Running[Result]] = {}

    def join(
        self, key: str, work: Callable[[Listener], Awaitable[Result]], listener: Listener | None = None
    ) -> "Seat[Result]":
        """A seat at the computation of this key, which is begun where there is none.

        `work` gets a function that passes on progress, from any thread, to the listeners of all who are seated.
        """
        running = self._running.get(key)
        if running is None or running.failed:  # in this very moment, and not yet forgotten
            running = self._running[key] = _Running(work)
            running.task.add_done_callback(lambda _: self._forget(key, running))
        return Seat(self, key, running, listener)

    def __contains__(self, key: str) -> bool:
        """Whether there is a computation of this key under way."""
        return key in self._running

    def _forget(self, key: str, running: "_Running[Result]") -> None:
        if self._running.get(key) is running:
            del self._running[key]


class _Running(Generic[Result]):
    def __init__(self, work: Callable[[Listener], Awaitable[Result]]) -> None:
        self.seats: set[Seat[Result]] = set()
        self.task = asyncio.ensure_future(work(self._tell))

    @property
    def failed(self) -> bool:
        """Whether it has ended without a result."""
        return self.task.done() and (self.task.cancelled() or self.task.exception() is not None)

    def _tell(self, progress: Progress) -> None:
        for seat in self.seats.copy():  # whole, although the event loop's thread adds and takes away
            if seat.listener is not None:
                seat.listener(progress)


class Seat(Generic[Result]):
    """One asker's place; the computation ends early when the last of them has left."""

    def __init__(self, shared: Shared[Result], key: str, running: _Running[Result], listener: Listener | None) -> None:
        self.listener = None if listener is None else GuardedListener(listener)
        self._shared, self._key, self._running = shared, key, running
        running.seats.add(self)

    @property
    def task(self) -> "asyncio.Future[Result]":
        """The computation; not to be cancelled but by leaving."""
        return self._running.task

    def leave(self) -> None:
        """Give the place back; nothing where that is done already."""
        if self not in self._running.seats:
            return  # a second cancellation would break into what the computation does after the first
        self._running.seats.remove(self)
        if not self._running.seats and not self.task.done():
            self._shared._forget(self._key, self._running)
            self.task.cancel()
