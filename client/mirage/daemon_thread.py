"""Blocking functions on threads that do not keep the program from ending."""

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def on_daemon_thread(function: Callable[[], Result]) -> Result:
    """The result of the function, which runs on a new thread.

    At its exit, Python waits for the threads of `asyncio.to_thread`. For this one it does not: the function may wait
    for something that never comes.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def finish(act: Callable[[], None]) -> None:
        if not future.done():  # it may have been cancelled
            act()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:
            act = functools.partial(future.set_exception, error)
        else:
            act = functools.partial(future.set_result, result)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(finish, act)

    threading.Thread(target=run, name="mirage-pictures", daemon=True).start()
    return await future
