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

from mirage.errors import ConnectionLost

Result = TypeVar("Result")
LOOK_S = 0.5
"""Seconds after which a waiting thread looks up: on Windows a lock that is waited for hides Ctrl-C."""
CLEANUP_S = 5.0
"""Most seconds that an interrupted thread waits for its coroutine to close its connection."""


class Background:
    """Runs coroutines, called from any thread; the thread starts with the first one and ends with `stop`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._process = os.getpid()
        self._thread = threading.Thread(target=_run, args=[self._loop], name="mirage", daemon=True)
        self._thread.start()
        weakref.finalize(self, _stop_soon, self._loop)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs in this process: a process that was forked has no threads of its parent."""
        return self._process == os.getpid() and self._thread.is_alive()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run the coroutine and return its result; if this thread is interrupted, the coroutine is cancelled."""
        if not self.is_alive:
            coroutine.close()
            raise RuntimeError("the client is closed, or belongs to the process that this one was forked from")
        job = _Job(self._loop, coroutine)
        try:
            while not job.ended.wait(LOOK_S):
                pass
        except BaseException:
            job.cancel()
            job.ended.wait(CLEANUP_S)  # so that what is called next finds connections closed and nothing running
            raise
        return job.result()

    def stop(self) -> None:
        """End the thread; what still runs on it is cancelled first."""
        if not self.is_alive:
            return
        self.run(_cancel_others())
        _stop_soon(self._loop)
        self._thread.join()


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


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
