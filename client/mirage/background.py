"""An event loop on a thread of its own, on which `Mirage` runs what `AsyncMirage` does.

So everything is written once, it also works in a notebook, whose own event loop is busy, and Ctrl-C cancels a request
wherever it is.
"""

import asyncio
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from mirage.errors import ClientClosed, ConnectionLost

Result = TypeVar("Result")
LOOK_S = 0.5
"""Seconds after which a waiting thread looks up: on Windows a lock that is waited for hides Ctrl-C."""
CLEANUP_S = 5.0
"""Most seconds that an interrupted thread waits for its coroutine to close its connection, and `stop` for all."""
QUIET_ROUNDS = 3
"""Rounds of the loop without another task after which nothing is left to be closed."""
CLOSED = "the client is closed, or belongs to the process that this one is a fork of: make a new one"


class Background:
    """Runs coroutines, called from any thread. Its thread ends with `stop`, or when nobody has the object any more.

    What has begun and what may still begin is decided on that thread alone, so nothing here needs a lock: Python may
    collect garbage, and thereby call `finish` or `stop`, in the middle of any of these functions.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._process = os.getpid()
        self._closing = False
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
        if self._is_own_thread:
            coroutine.close()
            raise ClientClosed("the client was called from its own event loop, which would wait for itself")
        job = _Job(self._loop, coroutine)
        try:
            if not self.is_alive or not self._call_soon(self._begin, job):
                job.refuse()
            while not job.ended.wait(LOOK_S) and self._thread.is_alive():
                pass
        except BaseException:
            job.cancel()
            job.wait_for_end()  # so that what is called next finds connections closed and nothing running
            raise
        return job.result()

    def finish(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine that cleans up. Where it cannot be waited for, it is left to the loop, or not needed."""
        if self._is_own_thread:
            if not self._call_soon(self._begin, _Job(self._loop, coroutine)):
                coroutine.close()
            return
        with contextlib.suppress(ClientClosed, ConnectionLost):
            self.run(coroutine)

    def stop(self, cleanup: Coroutine[Any, Any, object]) -> None:
        """Cancel all that runs, then run `cleanup`, and end the thread. A second call waits for the first one.

        On the thread itself, the end is not waited for.
        """
        if self._process != os.getpid() or not self._call_soon(self._close, cleanup):
            cleanup.close()
            return
        if self._is_own_thread:
            return
        try:
            self._thread.join(CLEANUP_S)
        finally:
            _stop_soon(self._loop)
        self._thread.join()
        with contextlib.suppress(RuntimeError):  # it goes on although it is closed
            cleanup.close()  # if there was no time to begin or to end it

    @property
    def _is_own_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def _call_soon(self, function: Callable[..., None], *arguments: object) -> bool:
        """Have the function called on the thread; false if the loop has ended."""
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            return False
        return True

    def _begin(self, job: "_Job[Any]") -> None:
        if self._closing:
            job.refuse()
        else:
            job.begin()

    def _close(self, cleanup: Coroutine[Any, Any, object]) -> None:
        if self._closing:
            cleanup.close()
            return
        self._closing = True
        self._loop.create_task(_end(cleanup)).add_done_callback(lambda _: self._loop.stop())


class _Job(Generic[Result]):
    """A coroutine that runs on the loop; `ended` is set once it has ended in any way, or was refused."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Result]) -> None:
        self._loop, self._coroutine = loop, coroutine
        self._task: asyncio.Task[Result] | None = None
        self.ended = threading.Event()

    def begin(self) -> None:
        """Begin the coroutine, unless the job was cancelled before; called on the loop's thread."""
        if self.ended.is_set():
            return
        self._task = self._loop.create_task(self._coroutine)
        self._task.add_done_callback(lambda _: self.ended.set())

    def refuse(self) -> None:
        """End the job without a begin; called on the loop's thread, or where the loop will not begin it."""
        self._coroutine.close()
        self.ended.set()

    def cancel(self) -> None:
        """Have the coroutine cancelled, or never begun."""

        def cancel() -> None:
            if self._task is None:
                self.refuse()
            else:
                self._task.cancel()

        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(cancel)

    def wait_for_end(self) -> None:
        """Wait for the end, for CLEANUP_S seconds at most, whatever interrupts the wait."""
        until = time.monotonic() + CLEANUP_S
        while not self.ended.is_set() and (left := until - time.monotonic()) > 0:
            # RuntimeError: Python's own lock, whose wait was interrupted twice.
            with contextlib.suppress(KeyboardInterrupt, RuntimeError):
                self.ended.wait(left)

    def result(self) -> Result:
        """What the coroutine returned or raised; called after `ended` was set, or after the end of the thread.

        Raises ClientClosed if it never began, and ConnectionLost if the end of the client came before its own.
        """
        if self._task is None:
            self._coroutine.close()
            raise ClientClosed(CLOSED)
        if self._task.cancelled() or not self._task.done():
            raise ConnectionLost("the client was closed before the response: use a new one")
        return self._task.result()


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
    while others := _others():
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    await cleanup
    # Generators inside httpx that were left in the middle are closed by tasks: one for the outer generator, and when
    # that has ended, one for the next. It takes a round of the loop until such a task begins.
    quiet_rounds = 0
    while quiet_rounds < QUIET_ROUNDS:
        await asyncio.sleep(0)
        others = _others()
        quiet_rounds = 0 if others else quiet_rounds + 1
        await asyncio.gather(*others, return_exceptions=True)


def _others() -> "list[asyncio.Task[Any]]":
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
