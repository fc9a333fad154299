"""An event loop on a thread of its own, on which `Mirage` runs what `AsyncMirage` does.

So everything is written once, it also works in a notebook, whose own event loop is busy, and Ctrl-C cancels a request
wherever it is.
"""

import asyncio
import contextlib
import os
import threading
import weakref
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from mirage.errors import ClientClosed, ConnectionLost

Result = TypeVar("Result")
LOOK_S = 0.5
"""Seconds after which a waiting thread looks up: on Windows a lock that is waited for hides Ctrl-C."""
CLEANUP_S = 5.0
"""Most seconds that an interrupted thread waits for its coroutine to close its connection."""


class Background:
    """Runs coroutines, called from any thread. Its thread ends with `stop`, or when nobody has the object any more."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._process = os.getpid()
        self._closing = False
        self._lock = threading.Lock()  # of `_closing`: after it is set, no further coroutine begins
        self._thread = threading.Thread(target=_run, args=[self._loop], name="mirage", daemon=True)
        self._thread.start()
        weakref.finalize(self, _stop_soon, self._loop)

    @property
    def is_alive(self) -> bool:
        """Whether coroutines are run. A process that was forked has no threads of its parent."""
        return self._process == os.getpid() and self._thread.is_alive() and not self._closing

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run the coroutine and return its result; if this thread is interrupted, the coroutine is cancelled.

        Raises ClientClosed where nothing is run any more, and ConnectionLost if `stop` ends the coroutine.
        """
        job = self._begin(coroutine)
        try:
            while not job.ended.wait(LOOK_S):
                if not self._thread.is_alive():
                    raise ConnectionLost("the client was closed before the response: use a new one")
        except BaseException:
            job.cancel()
            job.ended.wait(CLEANUP_S)  # so that what is called next finds connections closed and nothing running
            raise
        return job.result()

    def finish(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine that cleans up. Where it cannot be waited for, it is left to the loop, or not needed."""
        if threading.current_thread() is self._thread:  # Python collects garbage on whichever thread it likes
            self._loop.call_soon(self._loop.create_task, coroutine)
            return
        with contextlib.suppress(ClientClosed, ConnectionLost):
            self.run(coroutine)

    def stop(self, cleanup: Coroutine[Any, Any, object]) -> None:
        """Cancel all that runs, then run `cleanup`, and end the thread. A second call waits for the first one."""
        with self._lock:
            first, self._closing = not self._closing, True
        if not first or self._process != os.getpid():
            cleanup.close()
            if self._process == os.getpid() and threading.current_thread() is not self._thread:
                self._thread.join()
            return
        try:
            _Job(self._loop, _end(cleanup)).ended.wait(CLEANUP_S)
        finally:
            _stop_soon(self._loop)
        self._thread.join()

    def _begin(self, coroutine: Coroutine[Any, Any, Result]) -> "_Job[Result]":
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise ClientClosed("the client was called from its own event loop, which would wait for itself")
        with self._lock:
            if self.is_alive:
                return _Job(self._loop, coroutine)
        coroutine.close()
        raise ClientClosed("the client is closed, or belongs to the process that this one is a fork of: make a new one")


class _Job(Generic[Result]):
    """A coroutine that runs on the loop; `ended` is set once it has ended in any way."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Result]) -> None:
        self._loop, self._coroutine = loop, coroutine
        self._task: asyncio.Task[Result] | None = None
        self.ended = threading.Event()
        loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._coroutine)
        self._task.add_done_callback(lambda _: self.ended.set())

    def cancel(self) -> None:
        """Have the coroutine cancelled; it has begun by then, since the loop keeps the order."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(lambda: self._task is not None and self._task.cancel())

    def result(self) -> Result:
        """What the coroutine returned or raised. Raises ConnectionLost if `stop` has cancelled it."""
        assert self._task is not None
        try:
            return self._task.result()
        except asyncio.CancelledError:
            raise ConnectionLost("the client was closed before the response: use a new one") from None


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _stop_soon(loop: asyncio.AbstractEventLoop) -> None:
    """End the thread of the loop without waiting for it."""
    with contextlib.suppress(RuntimeError):  # it is closed already
        loop.call_soon_threadsafe(loop.stop)


async def _end(cleanup: Coroutine[Any, Any, object]) -> None:
    """Cancel all tasks but this one, until there are none, and clean up."""
    while others := [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    await cleanup
